// Package money promises that an amount stays exactly what was written: decimal digits, never
// a floating point number. Amounts are compared by value, and printed as they came in.
package money
