# KalamDB: everything a developer runs. Needs Go, git and make.
#
# A workspace has no root module, so the list of modules lives here and every
# target goes over it.

MODULES := commons store sql live core flows server cli internal tests

# One static binary: no cgo, and the engine's regex in Go instead of ICU.
export CGO_ENABLED ?= 0
export GOFLAGS := -buildvcs=false -tags=gms_pure_go

PKGS      := $(MODULES:%=./%/...)
BIN       := bin
JOBS      ?= 2
FUZZTIME  ?= 200000x
BENCHTIME ?= 5s
ORACLE_TIME ?= 10m

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   := $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION) \
            -X main.branch=$(BRANCH)
GOBUILD  := go build -trimpath -ldflags "$(LDFLAGS)"

# Packages that are run under the race detector at every change: the concurrent
# ones. Those of core/engine and server/ws take half a minute each.
RACE_PKGS ?= ./commons/... ./store/memkv/... ./live/... ./core/apply/... ./core/replica/... \
             ./core/engine ./server/ws ./cli/client/... ./cli/verify/...

# Checks of `verify`, each with a twin of the same name under `fix`.
CHECKS := fmt vet lint static tidy work docs

.PHONY: help run build test race lint verify fix fuzz s3 oracle bench crash nemesis duckdb demo docs sdk verify-live clean \
        $(CHECKS:%=verify-%) $(CHECKS:%=fix-%)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

run: build ## build and start the server; its data is in bin/data
	@exec $(BIN)/kalamdb-server

build: ## build bin/kalamdb-server and bin/kalam
	$(GOBUILD) -o $(BIN)/kalamdb-server ./server/cmd/kalamdb-server
	$(GOBUILD) -o $(BIN)/kalam ./cli/cmd/kalam

test: ## run the tests of all modules
	go test -p $(JOBS) -timeout 15m $(PKGS)

race: ## run the concurrent packages under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -p $(JOBS) -timeout 15m $(RACE_PKGS)

lint: verify-vet verify-lint verify-static ## go vet, the house rules and staticcheck

verify: $(CHECKS:%=verify-%) ## all checks that change nothing

fix: $(CHECKS:%=fix-%) ## what verify finds, mended where a program can

verify-fmt:
	@bad=$$(gofmt -l $(MODULES)); \
	if [ -n "$$bad" ]; then echo "not formatted (make fix-fmt):"; echo "$$bad"; exit 1; fi
fix-fmt:
	gofmt -w $(MODULES)

verify-vet:
	go vet $(PKGS)
fix-vet:
	go fix $(PKGS)

verify-lint:
	go test -count=1 ./internal/lint/...
fix-lint:
	@echo "house rules are mended by hand; they are:"
	@go test -count=1 ./internal/lint/... || true

# The deeper analyser is built from its own module on first use; where it can't
# be fetched the check is left out by name.
STATICCHECK := .cache/staticcheck
$(STATICCHECK): internal/tools/go.mod
	@mkdir -p $(@D)
	@GOWORK=off go -C internal/tools build -o ../../$@ honnef.co/go/tools/cmd/staticcheck \
	    || echo "skipped: staticcheck could not be built"
verify-static: $(STATICCHECK)
	@if [ -x $(STATICCHECK) ]; then $(STATICCHECK) $(PKGS); fi
fix-static:
	@$(MAKE) -s verify-static || echo "mend these by hand"

# Without network and with a cold cache tidy can't tell: then it is left out by name.
verify-tidy:
	@bad=0; for m in $(MODULES); do \
	    if out=$$(go -C $$m mod tidy -diff 2>&1); then continue; fi; \
	    case "$$out" in \
	    *"diff current/"*) echo "$$m is not tidy (make fix-tidy):"; echo "$$out"; bad=1;; \
	    *) echo "skipped: tidy of $$m: $$out" | tail -n 1;; \
	    esac; \
	done; exit $$bad
fix-tidy:
	@for m in $(MODULES); do go -C $$m mod tidy || exit 1; done

verify-work:
	go test -count=1 -run TestWorkspace ./internal/lint
fix-work:
	go work use $(MODULES)

verify-docs:
	go run ./tests/docgen -check
	go run ./tests/scale -check
docs: fix-docs ## write the generated reference under docs/reference
fix-docs:
	go run ./tests/docgen
	go run ./tests/scale -write

# A number of inputs and not a time: a target that is stopped by the clock may
# fail with "context deadline exceeded" and nothing found (golang/go#75804).
fuzz: ## run every fuzz target for FUZZTIME (default 200000x, that many inputs)
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' $(MODULES)); do \
	    for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' $$f); do \
	        echo "$$t in $$(dirname $$f)"; \
	        go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f); \
	    done; \
	done

# A real S3 server for tests, from a module of its own that no product module
# knows; where it can't be fetched the suites that need it are left out by name.
S3_SERVER := .cache/versitygw
$(S3_SERVER): internal/tools/s3/go.mod
	@mkdir -p $(@D)
	@GOWORK=off go -C internal/tools/s3 build -trimpath -o ../../../$@ \
	    github.com/versity/versitygw/cmd/versitygw || echo "skipped: the S3 server could not be built"

s3: $(S3_SERVER) ## run the suites of storages on a real S3 server (built on first use: 1.5 minutes)
	@if [ ! -x $(S3_SERVER) ]; then echo "skipped: suites on a real S3 server"; exit 0; fi; \
	go test -count=1 -timeout 15m ./store/object/... && \
	go test -count=1 -timeout 15m -run TestS3 ./core/engine

oracle: ## compare random statements with SQLite for ORACLE_TIME (default 10m)
	ORACLE_TIME=$(ORACLE_TIME) go test -count=1 -timeout 0 -v ./tests/oracle

bench: build ## print figures as lines of JSON
	@go run ./tests/bench -bin $(BIN)/kalamdb-server -time $(BENCHTIME)

demo: build ## load real messages into a server of its own, with a live query running
	@go run ./tests/demo/cmd/kalamdb-demo -bin $(BIN)/kalamdb-server

VERIFY_LIVE ?= -changes 1000000 -kill-sockets 1s -restart 20s
verify-live: build ## follow a million changes while sockets and the server are killed
	go build -o $(BIN)/verifylive ./tests/verifylive
	$(BIN)/verifylive -bin $(BIN)/kalamdb-server $(VERIFY_LIVE)

CRASH ?= -rounds 200
crash: ## kill the server 200 times while rows move to the cold tier, and look for what is lost
	go build -trimpath -tags=gms_pure_go,failpoint -o $(BIN)/kalamdb-server-failpoint \
	    ./server/cmd/kalamdb-server
	go build -o $(BIN)/crash ./tests/crash/cmd/crash
	$(BIN)/crash -bin $(BIN)/kalamdb-server-failpoint $(CRASH)

NEMESIS ?= -duration 10m
nemesis: ## have three servers form a cluster under faults for 10 minutes, and judge what clients were told
	go build -trimpath -tags=gms_pure_go,failpoint -o $(BIN)/kalamdb-server-failpoint \
	    ./server/cmd/kalamdb-server
	go build -o $(BIN)/nemesis ./tests/nemesis/cmd/nemesis
	$(BIN)/nemesis -bin $(BIN)/kalamdb-server-failpoint $(NEMESIS)

duckdb: ## read files of the cold tier with DuckDB, too (needs Node 20 and npm)
	cd tests/foreign/duckdb && npm ci --no-fund --no-audit
	KALAM_DUCKDB=1 go test -count=1 ./tests/foreign/...

sdk: build ## build the TypeScript client and run its tests (needs Node 20 and npm)
	cd sdk/typescript && npm ci --no-fund --no-audit && npm run build && \
	    KALAM_TEST_BINARIES=$(CURDIR)/$(BIN) npm test

clean: ## remove what build made; never the data
	rm -f $(BIN)/kalamdb-server $(BIN)/kalam $(BIN)/verifylive $(BIN)/crash $(BIN)/nemesis \
	    $(BIN)/kalamdb-server-failpoint
	rm -rf .cache sdk/typescript/dist sdk/typescript/node_modules tests/foreign/duckdb/node_modules
