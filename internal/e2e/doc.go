// Package e2e promises that what is shipped does what README says. Its tests build the program
// and run it as processes of its own on a real Kafka and a real Redis. Then they compare what
// comes out with the simulator's books. They carry the build tag real, and `make test-real` runs
// them; nothing else is in here.
package e2e
