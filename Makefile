# The only interface to building and testing Rhea. Plain `make` lists the targets.

MODULES := proto gateway ingester writer reqworker monitor negentropy rhea
STAGES  := gateway ingester writer reqworker monitor negentropy
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X rhea/proto/stage.version=$(VERSION)
FUZZTIME ?= 20s
export CGO_ENABLED ?= 0

.PHONY: help run build test race lint fuzz bench microbench e2e gen clean $(MODULES)

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: build ## start a relay on ws://127.0.0.1:7777, data in ./data
	@exec bin/rhea up

build: ## all binaries into bin/
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./rhea/cmd/rhea $(foreach s,$(STAGES),./$(s)/cmd/rhea-$(s))

test: ## every test, the end-to-end tests with real processes included
	go test work

race: ## every test under the race detector (needs a C compiler)
	CGO_ENABLED=1 RHEA_E2E_BUILD=-race go test -race -timeout 40m work

e2e: ## the end-to-end tests alone, more rounds of each fault
	RHEA_E2E_ROUNDS=$(or $(ROUNDS),100) go test -count=1 -v -timeout 60m ./rhea/e2e/...

lint: ## formatting, vet, a build for another system and processor, tidy modules, generated code up to date
	@test -z "$$(gofmt -l $(MODULES))" || { echo "not formatted:"; gofmt -l $(MODULES); exit 1; }
	go vet work
	GOARCH=arm64 go vet ./proto/schnorr/...
	GOOS=darwin GOARCH=arm64 go build -o /dev/null work
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy -diff >/dev/null) || { echo "$$m: go.mod is not tidy: run GOWORK=off go mod tidy there"; exit 1; }; done
	@$(MAKE) --no-print-directory gen && git diff --exit-code --stat -- proto/relaypb docs/configuration.md docs/deploy/rhea.toml docs/metrics.md docs/deploy/observe

fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for m in $(MODULES); do \
	  for pkg in $$(cd $$m && go list ./...); do \
	    for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	      echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg; \
	    done; done; done

bench: build ## a relay under load, as processes and as one; BENCH has flags for it
	bin/rhea bench $(BENCH)

microbench: ## the Go benchmarks beside the code
	go test -run '^$$' -bench . -benchmem work

gen: ## the Go code of proto/relaypb/*.proto, the pages about settings and metrics
	cd proto/relaypb && go run ./gen && gofmt -w *.pb.go
	go run ./rhea/settings/gen
	go run ./rhea/figures/gen

clean: ## what make build made
	rm -rf bin
