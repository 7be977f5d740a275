# Every target sets up what it needs. npm puts Node 24, a development dependency, before the machine's own Node.

.DEFAULT_GOAL := help
# SETUP=no installs nothing; tools and tests read it too.
export SETUP
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
# Without npm in between, which does not hand on the signal that asks it to end.
run: node_modules/.package-lock.json ## Serve everything in one process, on embedded storage
	@exec node_modules/.bin/node --disable-warning=ExperimentalWarning services/main.ts

.PHONY: run-distributed
run-distributed: setup ## Run two processes of each service with Kafka, Redis and MariaDB, all private (FLAGS="--copies 3 --port 9000")
	@exec node_modules/.bin/node --disable-warning=ExperimentalWarning tools/run-distributed.ts $(FLAGS)

.PHONY: dev
dev: node_modules/.package-lock.json ## Serve as `make run` does, and start again when a source changes
	@exec node_modules/.bin/node --watch --watch-preserve-output --disable-warning=ExperimentalWarning services/main.ts

.PHONY: check
check: node_modules/.package-lock.json ## Run what is worth running before each commit: style, types, unit tests
	@npm test --silent -- style types unit

.PHONY: test
test: setup ## Run every check and every test, to the end (SETUP=no: install nothing, skip what needs it)
	@npm test --silent -- $(FLAGS)

.PHONY: lint
lint: node_modules/.package-lock.json ## Run the checks that run no test: style, types, contract, imports, ...
	@npm run lint --silent

.PHONY: format
format: node_modules/.package-lock.json ## Rewrite the sources as Biome wants them
	@npm run format --silent

.PHONY: generate
generate: node_modules/.package-lock.json ## Generate gen/ anew from proto/
	@npm run generate --silent

.PHONY: tea-shop
tea-shop: node_modules/.package-lock.json ## Watch eight buyers and five tins of tea: an example that needs no data
	@npm run tea-shop --silent

.PHONY: northwind
northwind: node_modules/.package-lock.json ## Bring two years of orders through to delivery: make northwind DATA=folder
	@npm run northwind --silent -- $(DATA)

.PHONY: sold-out
sold-out: node_modules/.package-lock.json ## Watch the stock of the same shop run out: make sold-out DATA=folder
	@npm run sold-out --silent -- $(DATA)

bench-%: node_modules/.package-lock.json ## Run the benchmark of that name, in a folder of bench/
	@npm exec --call 'node --disable-warning=ExperimentalWarning $(wildcard bench/$*.ts bench/*/$*.ts) $(FLAGS)'

.PHONY: fuzz-gateway
fuzz-gateway: node_modules/.package-lock.json ## Compare the gateway's codecs and trie with others': make fuzz-gateway FLAGS="--seconds 600"
	@npm exec --call 'node gateway/test/fuzz/main.ts $(FLAGS)'

.PHONY: conformance
conformance: node_modules/.package-lock.json ## Run the official Connect conformance suite against our servers (needs Go)
	@npm exec --call 'node tools/conformance.ts $(FLAGS)'

.PHONY: bundle
bundle: node_modules/.package-lock.json ## Bundle each program into one file that needs no packages: .cache/bundle
	@npm exec --call 'node tools/bundle.ts'

.PHONY: function
function: node_modules/.package-lock.json ## Bundle the function for AWS Lambda: .cache/function
	@npm exec --call 'node tools/function.ts'

.PHONY: image
image: node_modules/.package-lock.json ## Build the container image without an engine: .cache/image (FLAGS="--arch arm64")
	@npm exec --call 'node tools/image.ts $(FLAGS)'

.PHONY: observability
observability: node_modules/.package-lock.json ## Write Prometheus' rules and Grafana's dashboards from deploy/observability/source
	@npm exec --call 'node --disable-warning=ExperimentalWarning tools/observability.ts $(FLAGS)'

.PHONY: chart-docs
chart-docs: node_modules/.package-lock.json ## Write the chart's table of values and its schema from values.yaml and the settings, and docs/metrics.md
	@npm exec --call 'node --disable-warning=ExperimentalWarning tools/chart-docs.ts $(FLAGS)'

.PHONY: chart
chart: node_modules/.package-lock.json ## Check the chart: linter, schemas of Kubernetes, policies, values that must be refused
	@npm exec --call 'node tools/chart-tools.ts && jest --selectProjects delivery --ci charts'

.PHONY: chart-package
chart-package: node_modules/.package-lock.json ## Package the chart: .cache/chart
	@npm exec --call 'node tools/go-tools.ts helm -- package charts/docket --destination .cache/chart'

.PHONY: sbom
sbom: node_modules/.package-lock.json ## Write what is shipped, with licences: .cache/sbom/docket.cdx.json, licences.txt
	@npm exec --call 'node tools/sbom.ts'

.PHONY: setup
setup: node_modules/.package-lock.json ## Install packages, and the servers that tests use where that is allowed
	@sh tools/install-servers.sh

.PHONY: clean
clean: ## Remove what can be made again; the data of `make run` stays
	rm -rf .cache coverage web-client/sdk/dist

# npm writes this file last, so that it is older than package-lock.json only when an installation is out of date.
node_modules/.package-lock.json: package-lock.json
	@if [ "$(SETUP)" = no ]; then echo "SETUP=no: node_modules is missing or out of date; run npm ci" >&2; exit 1; fi
	@echo "Installing npm packages into node_modules"
	npm ci --no-progress --loglevel=error
