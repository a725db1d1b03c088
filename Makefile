.PHONY: build test bench bench-all baseline lint fuzz

build: # the command, beside this file
	go build -trimpath -o fleetmark ./cmd/fleetmark

test: # what a commit must pass
	go test ./...

bench: # the benchmarks of an operation beside their references, ten times each, ready for benchstat
	go test -run '^$$' -bench 'Push|Verify|Reference' -benchmem -count 10 ./delivery

bench-all: # every benchmark, ten times each
	go test -run '^$$' -bench . -skip 'MillionDevices|GigabyteStream' -benchmem -count 10 -timeout 60m ./...

baseline: # measures on this machine and writes BASELINE_METRICS.md
	go run ./cmd/fleetmark baseline

lint: # what a commit must be free of
	test -z "$$(gofmt -l .)"
	go vet ./...
	go tool staticcheck ./...

fuzz: # every fuzz target in turn, a minute each; FUZZTIME=10s makes it shorter
	@set -e; \
	for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime "$${FUZZTIME:-60s}" $$package; \
		done; \
	done
