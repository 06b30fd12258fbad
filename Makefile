# Everything one does in this repository. `make` alone tells what there is.
# Nothing but Go is needed for most of it; what else a target needs, it fetches or says.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# No C compiler: the programs are static, and the tests build the same way. Only the race detector wants cgo.
export CGO_ENABLED := 0

# The same flag for all, or the build cache has each package twice: once for the programs and once for the tests.
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# A tag gives the version. Without one a program says its own (internal/cli/version.go).
VERSION := $(patsubst v%,%,$(shell git describe --tags --dirty 2>/dev/null))
COMMIT  := $(or $(shell git rev-parse --short HEAD 2>/dev/null),unknown)
BUILDFLAGS := -trimpath -buildvcs=false -ldflags '$(if $(VERSION),-X disburser/internal/cli.Version=$(VERSION) )-X disburser/internal/cli.Commit=$(COMMIT)'

SERVERS  := deployments/local/servers.sh
FUZZTIME ?= 5s

# golangci-lint is built once for each version of it and of Go (it can't read code for a newer Go than its own),
# and kept beside the other caches. Pinned, so that the same code gets the same answer everywhere.
GOLANGCI_VERSION := v2.15.0
CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/disburser
GOLANGCI  = $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)-$(shell go env GOVERSION 2>/dev/null)/golangci-lint

##@ Try it

.PHONY: demo
demo: bin ## everything in one process on embedded servers: a payroll goes through (half a minute); FILE=… sends your own
	go build $(BUILDFLAGS) -o bin/demo ./cmd/demo
	./bin/demo $(if $(FILE),--file "$$FILE")

.PHONY: playground
playground: bin ## the same until Ctrl-C, payroll after payroll, with a back office that payctl can ask: it prints how
	go build $(BUILDFLAGS) -o bin/ ./cmd/demo ./cmd/payctl
	./bin/demo --playground

.PHONY: build
build: bin ## the programs, into bin/
	go build $(BUILDFLAGS) -o bin/ ./cmd/...

bin:
	@mkdir -p bin

##@ Test it

.PHONY: test
test: ## the tests that need nothing but Go (two minutes on two slow cores, with a warm build cache)
	go test -short ./...

# The tests' heaps are small and collected all the time; larger ones take up to a third less of the processor. Not for
# make test: go then remembers no results.
LARGE_HEAPS := -exec 'env GOGC=400'

# All that make test runs, and what -short leaves out: nobody can add a long case that CI misses.
.PHONY: test-long
test-long: ## the same with their long grids: more rates, more instances, more payouts (some minutes)
	go test $(LARGE_HEAPS) -timeout=30m ./...

# Where neither the code nor a test has to do with goroutines there is no race. Who uses such a package from goroutines is
# tested here. The packages of ALONE run nothing at the same time but tests, and their grids are ten times as slow here.
CONCURRENT := \bgo (func|[A-Za-z.]+\()|\.Go\(|t\.Parallel|"sync["/]|synctest|net/http|goleak|internal/(embedded|kafkatest)"

ALONE := ^\./(polling|internal/(model|docs|mutants|partition))$$

.PHONY: race
race: ## the tests under the race detector (a few minutes; needs a C compiler)
	CGO_ENABLED=1 go test -race $(LARGE_HEAPS) -short -vet=off -timeout 40m $$(grep -rlE --include='*.go' '$(CONCURRENT)' . | xargs -n1 dirname | sort -u | grep -vE '$(ALONE)')

# One package at a time: they share the servers.
.PHONY: test-real
test-real: ## the tests on a real Kafka, Redis and PostgreSQL, fetched and started for them (a few minutes)
	$(SERVERS) with bash -c 'go test -count=1 -p=1 -short -vet=off -tags=real ./internal/e2e/... ./journal/... ./ratelimit/... ./backoffice/books/database/... \
		&& go test -count=1 -short -vet=off -tags=real -run OnPostgreSQL ./backoffice/service'

SEEDS ?= 30
FROM  ?= 1

# Compiled: go test hides the seeds' lines of a run that passes.
.PHONY: simulate
simulate: bin ## the whole program under seeded faults in virtual time (a second a seed); SEEDS=1000; FROM=7 SEEDS=1 replays one
	go test -c -o bin/simulate.test ./internal/simulation
	GOGC=400 ./bin/simulate.test -test.run '^TestSeeds$$' -test.timeout 0 -seeds $(SEEDS) -from $(FROM) -told

.PHONY: chaos
chaos: bin ## kills, pauses, wipes and cuts real servers and processes while payouts flow (35 min); ONLY=kill,wipe plays some
	go build $(BUILDFLAGS) -o bin/chaos ./internal/chaos/cmd/chaos
	./bin/chaos $(if $(ONLY),--only "$(ONLY)") $(CHAOSFLAGS)

FAULTS ?= 1

.PHONY: model
model: ## every interleaving of the protocol, and what each rule is for (some minutes; FAULTS=2 LIMIT=60000000 for a large machine)
	go test -count=1 -timeout=120m -v ./internal/model -every -faults=$(FAULTS) $(if $(LIMIT),-limit=$(LIMIT))

GUARDS ?=

.PHONY: mutants
mutants: bin ## takes each guard of the protocol out, one at a time, and runs the test that must notice (10 min); GUARDS=S4,look
	go build $(BUILDFLAGS) -o bin/mutants ./internal/mutants/cmd/mutants
	./bin/mutants $(if $(GUARDS),--only "$(GUARDS)") $(MUTANTSFLAGS)

.PHONY: bench
bench: bin ## throughput and cost beside a floor, on real servers, into docs/performance.md (half an hour); ONLY=rate,intake; ROWS=1x50x1
	go build $(BUILDFLAGS) -o bin/bench ./internal/bench/cmd/bench
	$(SERVERS) with ./bin/bench $(if $(ONLY),--only "$(ONLY)") $(if $(ROWS),--rows "$(ROWS)") $(BENCHFLAGS)

FUZZJOBS ?= 1

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (5s each), FUZZJOBS at a time (1)
	@FUZZTIME=$(FUZZTIME) FUZZJOBS=$(FUZZJOBS) .ci/fuzz

.PHONY: lint
lint: $(GOLANGCI) ## formatting, vet, static analysis, import rules, a tidy go.mod, shell scripts (a minute or two)
	@unformatted=$$(gofmt -l .); \
		if [ -n "$$unformatted" ]; then echo "not gofmt-ed (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags=real ./...
	$(GOLANGCI) run ./...
	go mod tidy -diff
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run .ci/vulncheck .ci/fuzz $(SERVERS); \
		else echo "shellcheck is not installed: the scripts are only parsed"; bash -n .ci/run; bash -n .ci/vulncheck; bash -n .ci/fuzz; bash -n $(SERVERS); fi

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION), once: it takes a minute or two"
	@mkdir -p "$(@D)"
	@tmp=$$(mktemp -d "$(@D)/build.XXXXXX"); trap 'rm -rf "$$tmp"' EXIT; \
		GOBIN="$$tmp" GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION); \
		mv "$$tmp/golangci-lint" "$@"

.PHONY: vulncheck
vulncheck: ## known vulnerabilities in what the programs call (a minute; needs vuln.go.dev)
	.ci/vulncheck

.PHONY: countries
countries: ## writes docs/countries.md from the data that commands are checked by
	go run ./cmd/disburser countries --markdown > docs/countries.md.new
	mv docs/countries.md.new docs/countries.md

.PHONY: fmt
fmt: ## formats the Go files
	gofmt -w .

##@ Real servers by hand (KAFKA_PORT=9092, REDIS_PORT=6379, PG_PORT=5432; see deployments/local/servers.sh help)

.PHONY: kafka-up
kafka-up: ## starts Apache Kafka on 127.0.0.1 and creates the topics
	@$(SERVERS) kafka-up
	@$(SERVERS) topics

.PHONY: redis-up
redis-up: ## starts redis-server on 127.0.0.1
	@$(SERVERS) redis-up

.PHONY: kafka-down
kafka-down: ## stops Kafka alone; what it stored stays
	@$(SERVERS) kafka-down

.PHONY: redis-down
redis-down: ## stops Redis alone; what it stored stays
	@$(SERVERS) redis-down

.PHONY: pg-up
pg-up: ## starts PostgreSQL on 127.0.0.1 for the books
	@$(SERVERS) pg-up

.PHONY: pg-down
pg-down: ## stops PostgreSQL alone; what it stored stays
	@$(SERVERS) pg-down

.PHONY: down
down: ## stops all; what they stored stays
	@$(SERVERS) down

##@ Clean up

.PHONY: clean
clean: ## removes what was built here
	rm -rf bin
	rm -f *.test *.out *.prof

.PHONY: help
help: ## this list
	@[ -t 1 ] && on=$$'\e[36m' bold=$$'\e[1m' off=$$'\e[0m' || on='' bold='' off=''; \
	awk -v on="$$on" -v bold="$$bold" -v off="$$off" ' \
		/^##@ / { printf "%s%s%s%s\n", (seen++ ? "\n" : ""), bold, substr($$0, 5), off } \
		/^[a-z-]+:.*## / { split($$0, a, ":.*## "); printf "  %smake %-10s%s %s\n", on, a[1], off, a[2] } \
	' $(MAKEFILE_LIST)
