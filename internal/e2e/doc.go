// Package e2e promises that what is shipped does what README says: its tests build
// the program, run it as processes of its own on a real Kafka and a real Redis, and
// compare what comes out with the simulator's books. They carry the build tag real and
// are run by make test-real; nothing else is in here.
package e2e
