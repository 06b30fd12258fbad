// Package app promises that the whole program is a value. New wires it from a configuration.
// Run runs it until its context ends, and then lets what is in flight finish. Everything that
// talks to the outside is passed in, so tests run the same program in one process, in virtual
// time too.
package app
