# Plain cargo and shell underneath; each script says at its head what it does.
.DEFAULT_GOAL := help
.PHONY: help run cluster test quick check dist autobahn faults chaos rolling hundred-thousand fuzz bench bench-all bench-slow k6 clean

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: ## One node on localhost:8080, memory broker, nothing else installed
	cargo run -p fanfare --no-default-features -- serve --dev

cluster: ## Redis (REDIS=three, sentinel or cluster: several), NODES=3 nodes and HAProxy on localhost:8080 (PORT=); Ctrl-C stops all
	@deploy/local/cluster.sh

quick: ## Format, lints and cargo test: what to run while you work; needs redis-server, HAProxy and nginx
	@tests/quick.sh

test: ## Every check, as CI runs it; installs what is missing where it can
	@tests/all.sh

check: ## Format, clippy, docs, licences, scripts
	@tests/check.sh

dist: ## What a release hands out, into target/dist-VERSION: static binaries, .deb, image, SBOM, checksums
	@deploy/dist/dist.sh

.PHONY: alerts
alerts: ## Every alert, provoked with real processes and a real Prometheus, with a table, about 4 minutes
	@tests/alerts.sh

autobahn: ## The whole Autobahn suite, about 12 minutes
	@tests/autobahn/run.sh all

faults: ## Every fault of Redis, nodes and HAProxy under load, one at a time, with a table, about 5 minutes
	@tests/faults.sh

chaos: ## SEEDS=20 minutes of faults that a seed decides, judged: nothing acknowledged is lost, doubled or reordered
	@tests/chaos.sh

rolling: ## A rolling restart of three nodes behind HAProxy under load, judged, without history and with, about two minutes; CLIENTS=2000 RATE=200 PACE=100
	@loadtest/rolling.sh

hundred-thousand: ## 100,000 idle connections on six nodes, held for a minute, sent away at a pace
	@loadtest/hundred-thousand.sh

fuzz: ## A minute on each fuzz target (cargo-fuzz)
	@tests/fuzz.sh

bench: ## First figures: memory per idle connection, CPU per delivery
	@tests/bench.sh

bench-all: ## All of docs/performance.md beside floors and budgets, about 20 minutes; CASES="fanout storm", DOCS=1
	@tests/bench-all.sh

bench-slow: ## What one slow reader costs a thousand others, about 4 minutes
	@tests/bench-slow.sh

k6: ## The journeys of loadtest/k6 on a cluster of its own, about 4 minutes; CASES="fanout soak"
	@tests/k6.sh $(or $(CASES),fanout rooms storm restart)

clean: ## Removes what was built and what the tests installed
	cargo clean
	rm -rf .work tests/*/node_modules
