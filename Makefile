# The commands for work on befriend; `make` lists them. For GNU make 3.81 (macOS) and newer.

# Further arguments of the command: make run ARGS="--listen 127.0.0.1:50052"
ARGS =
# How many requests `make fuzz-http` generates for each route.
EXAMPLES = 30
# How long `make fuzz` runs, in seconds.
SECONDS = 3600
# The name of the image that `make image` builds, and what its labels tell. SOURCE is where the source can be had;
# the URL of a remote is not taken for it, because it may hold a password.
IMAGE = befriend
IMAGE_LABELS = --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)" \
    --build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || echo unknown)" \
    --build-arg SOURCE="$(or $(SOURCE),unknown)"

# The image that `make proto-lint` compares with and `make proto-release` writes.
RELEASED_PROTOS = proto/released.binpb

COMPOSE = $$(if docker compose version >/dev/null 2>&1; then echo docker compose; else echo docker-compose; fi)

.DEFAULT_GOAL = help
.PHONY: help run test test-hostile test-clients clients check fmt lint proto-lint proto-release deny alerts tidy bench bench-quick bench-parts budget bench-outbox bench-watch measure-moving fuzz fuzz-http build release dist deploy-lint doc image compose-up compose-down

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## Build and start befriend with a demo app until Ctrl-C (more flags: ARGS="--listen 127.0.0.1:50052")
	@scripts/setup run
	@grpcurl=$$(scripts/tool grpcurl) || grpcurl=grpcurl; \
	case $$grpcurl in *' '*) grpcurl="'$$grpcurl'";; esac; \
	export BEFRIEND_GRPCURL="$$grpcurl"; exec cargo run --locked -- --demo $(ARGS)

test: ## Run all tests, on a private Postgres or on the server of TEST_DATABASE_URL
	@scripts/setup test
	cargo test --locked

test-hostile: ## Run the attacks that take minutes, and print what callers and memory did meanwhile
	@scripts/setup test
	cargo test --locked --release --test it hostile:: -- --ignored --nocapture --test-threads 1

test-clients: ## Test the clients against `befriend serve --ephemeral`, and whether they fit the protos
	@scripts/setup clients
	# The build of the tests has the program too; another build would compile its dependencies again.
	cargo test --locked --no-run
	scripts/test-clients

clients: ## Write what the clients have from the protos (tests/it/generated.rs, clients/generate.py, scripts/generate-go)
	@scripts/setup clients
	UPDATE_GOLDEN=1 cargo test --locked --test it generated
	.tools/clients/bin/python clients/generate.py
	scripts/generate-go

check: ## Check format, lints, protos, dependencies and house rules
	@scripts/setup test
	cargo fmt --all --check
	@$(MAKE) --no-print-directory lint proto-lint deny alerts tidy

fmt: ## Format the code
	cargo fmt --all

lint: ## Run clippy; warnings are errors
	cargo clippy --locked --all-targets -- -D warnings

proto-lint: ## Lint the protos, and compare them with the released ones for breaking changes
	@scripts/setup test
	"$$(scripts/tool buf)" lint
	"$$(scripts/tool buf)" format --diff --exit-code
	"$$(scripts/tool buf)" breaking --against $(RELEASED_PROTOS)

proto-release: ## Record the protos as released; only with a release
	@scripts/setup test
	"$$(scripts/tool buf)" build --exclude-source-info --output $(RELEASED_PROTOS)

deny: ## Check the dependencies' licences, sources and duplicate versions (deny.toml)
	@scripts/setup test
	"$$(scripts/tool cargo-deny)" --locked check -D unnecessary-skip -D unmatched-skip licenses bans sources

alerts: ## Test the alert rules, and the dashboards' expressions, by promtool (monitoring/)
	@scripts/setup test
	cargo test --locked --test it monitoring -- --include-ignored

tidy: ## Check the house rules (tests/it/tidy/)
	cargo test --locked --test it tidy

bench: ## Measure befriend beside pgbench and a tonic echo service (up to an hour; more flags: ARGS="--help")
	cargo bench --locked --profile image --bench speed -- $(ARGS)

bench-quick: ## The same for the most frequent calls, on a small data set (5 minutes after the build)
	cargo bench --locked --profile image --bench speed -- --users 20000 \
	    --operations check1,list50,add-rule,remark-rule \
	    --callers 1,64,256 --rounds 3 --seconds 1 --open 0.5 $(ARGS)

bench-parts: ## Measure functions that every call runs: keys, page tokens, names, JSON
	cargo bench --locked --bench parts $(ARGS)

fuzz: ## Fuzz all parsers and surfaces, guided by coverage (an hour after the build; SECONDS=3600)
	@scripts/setup fuzz
	scripts/fuzz $(SECONDS)

fuzz-http: ## Test the HTTP APIs with schemathesis, from their OpenAPI description (two minutes; EXAMPLES=30)
	@scripts/setup fuzz
	cargo build --locked
	scripts/fuzz-http $(EXAMPLES)

budget: ## Count the instructions and allocations of requests, and compare with benches/budget.txt
	@scripts/setup budget
	cargo bench --locked --bench budget -- $(ARGS)

bench-outbox: ## Measure the cost and the rate of callbacks (a minute after the build)
	cargo bench --locked --bench outbox

bench-watch: ## Measure a thousand watchers during writes (half a minute after the build)
	cargo bench --locked --bench watch

measure-moving: release ## Measure import, export and an interrupted pull of a million entries (some minutes)
	scripts/measure-moving

build: ## Build the debug binary: target/debug/befriend
	cargo build --locked

release: ## Build the optimised binary: target/release/befriend
	cargo build --locked --release

dist: ## Build what a release publishes, into target/dist: archive, Debian package, list of components
	@scripts/setup dist
	scripts/dist

deploy-lint: ## Check the Kubernetes manifests against their schemas, and the systemd unit
	@scripts/setup test
	scripts/deploy-lint

doc: ## Build the documentation of the library: target/doc/befriend/index.html
	cargo doc --locked --no-deps

image: ## Build the container image
	DOCKER_BUILDKIT=1 docker build $(IMAGE_LABELS) $(BUILD_FLAGS) -t $(IMAGE) .

compose-up: ## Start befriend and Postgres in containers
	@scripts/make-env
	$(COMPOSE) up --build --detach

compose-down: ## Stop the containers, and keep their data
	$(COMPOSE) down
