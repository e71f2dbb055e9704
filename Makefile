# Everything here needs only Go, unless its line says otherwise.

ARCH    ?= arm64
DATA    ?= ./.apitoken
LISTEN  ?= 127.0.0.1:8080
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.8.0

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start the service on its embedded store (DATA=./.apitoken LISTEN=127.0.0.1:8080)
	go run ./cmd/apitoken serve --listen $(LISTEN) --data $(DATA)

.PHONY: build
build: ## Build bin/apitoken
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/apitoken ./cmd/apitoken

PREFIX  ?= $(HOME)/.local
SHARE    = $(DESTDIR)$(PREFIX)/share
.PHONY: install
install: build ## Install apitoken and its completions for bash, zsh and fish (PREFIX=~/.local DESTDIR=)
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" "$(SHARE)/fish/vendor_completions.d"
	install -m 0755 bin/apitoken "$(DESTDIR)$(PREFIX)/bin/apitoken"
	bin/apitoken completion bash >"$(SHARE)/bash-completion/completions/apitoken"
	bin/apitoken completion zsh >"$(SHARE)/zsh/site-functions/_apitoken"
	bin/apitoken completion fish >"$(SHARE)/fish/vendor_completions.d/apitoken.fish"
	chmod 0644 "$(SHARE)"/bash-completion/completions/apitoken "$(SHARE)"/zsh/site-functions/_apitoken "$(SHARE)"/fish/vendor_completions.d/apitoken.fish

SYSTEMD  = $(DESTDIR)/etc/systemd/system
SYSUSERS = $(DESTDIR)/etc/sysusers.d
.PHONY: install-service
install-service: install ## Install also the unit for systemd, for apitoken in PREFIX (PREFIX=/usr/local DESTDIR=)
	install -d "$(SYSTEMD)" "$(SYSUSERS)" "$(SHARE)/apitoken"
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' infra/systemd/apitoken.service >"$(SYSTEMD)/apitoken.service"
	chmod 0644 "$(SYSTEMD)/apitoken.service"
	install -m 0644 infra/systemd/sysusers.conf "$(SYSUSERS)/apitoken.conf"
	install -m 0644 infra/systemd/tls-files.conf infra/systemd/tls-credentials.conf infra/systemd/socket.conf "$(SHARE)/apitoken"
	install -m 0755 infra/systemd/certbot-deploy.sh "$(SHARE)/apitoken/certbot-deploy"

IMAGE   ?= apitoken
.PHONY: image
image: ## Build the container image (IMAGE=apitoken ARCH=amd64 or arm64, default this machine's; needs Docker, Podman or Buildah)
	ARCH=$(call given,ARCH) localstack/image.sh $(IMAGE)

.PHONY: test
test: ## Run the tests
	go test ./...
	@echo "Left out: what needs emulators (make integration runs it)."

.PHONY: race
race: ## Run the tests, the longest ones shorter, under the race detector (needs a C compiler)
	APITOKEN_SHORTER=1 GORACE=atexit_sleep_ms=10 CGO_ENABLED=1 go test -vet=off -timeout 30m -p 4 -race ./... # make lint vets, many tests wait, and the tests start a thousand processes, which would wait a second each

.PHONY: check
check: lint vulnerabilities fresh race ## Run lint, vulnerabilities, fresh and race

.PHONY: lint
lint: ## gofmt, vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on the files above"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: vulnerabilities
vulnerabilities: ## govulncheck, where its database can be reached
	.ci/vulnerabilities $(GOVULNCHECK)

.PHONY: fresh
fresh: ## Check that generated files match their sources
	go mod tidy -diff
	go mod verify
	go run ./cmd/catalogue -check
	go run ./cmd/reference -check

FUZZTIME ?= 30s
.PHONY: fuzz
fuzz: ## Fuzz every parser (FUZZTIME=30s or 20000x each)
	.ci/fuzz $(FUZZTIME)

.PHONY: readme
readme: ## Run the README's commands in a fresh clone and compare what it promises (one part needs nginx, Python 3 and curl)
	go run ./cmd/readme $(if $(filter true,$(CI)),-all)

.PHONY: bench
bench: ## Measure the budgets, each against its baseline in the same run
	go run ./cmd/bench
	go test -run '^$$' -bench Start -benchtime 1x ./functions/authorize
	go test -count 1 -run StaysInItsWriteUnits -v ./infra/dynamo/item | grep 'write units'
	@[ -z "$$APITOKEN_DYNAMODB" ] || go test -count 1 -run ReadsStayInTheirUnits -v ./infra/dynamo | grep 'read units'

.PHONY: soak
soak: bench fuzz histories races crashes sweeps retention table ## Run everything that takes long: the budgets, the fuzzers, and the next six (almost two hours without table)

CHECKS ?= 20000
.PHONY: histories
histories: ## Check the rules on random histories (CHECKS=20000 for each; make test checks 100)
	go test -count 1 -timeout 60m $$(grep -rlE --include='*_test.go' 'rapid\.Check|lifetest\.Machine' . | xargs dirname | sort -u) -rapid.checks=$(CHECKS)

# A target names its tests, and fails if one of the names has no test any more: go test passes without a test.
ROUNDS ?= 50
RACES = LimitHolds RateHolds NothingPasses EveryAnswerAgrees OfTwoHolders TwoEditors AnEditorWho
empty =
.PHONY: races
races: ## Repeat the tests of simultaneous calls: limits, rate, settings, suspensions (ROUNDS=50)
	for name in $(RACES); do go test -list $$name ./events/issuer ./functions/httpapi | grep ^Test || exit 1; done
	go test -list SuspensionStops ./infra/bolt | grep SuspensionStops
	go test -count $(ROUNDS) -timeout 60m -run '$(subst $(empty) $(empty),|,$(RACES))' ./events/issuer ./functions/httpapi
	go test -count $(ROUNDS) -timeout 60m -run SuspensionStops ./infra/bolt

.PHONY: crashes
crashes: ## Repeat the tests that kill the server at random moments (ROUNDS=50)
	go test -list KilledServer ./cmd/apitoken | grep -c ^Test | grep -qx 4
	go test -count $(ROUNDS) -timeout 60m -run KilledServer ./cmd/apitoken

DUE ?= 100000
.PHONY: sweeps
sweeps: ## Let many tokens fall due in one hour on the embedded store (DUE=100000)
	go test -list ManyTokensFallDue ./infra/bolt | grep ManyTokensFallDue
	DUE=$(DUE) go test -count 1 -timeout 60m -run ManyTokensFallDue -v ./infra/bolt

RETAINED ?= 100000
.PHONY: retention
retention: ## Create and end many tokens in three rounds, with a retention of one minute, under a running service (RETAINED=100000)
	go test -list RemovesWhatIsPastItsRetention ./cmd/apitoken | grep RemovesWhatIsPastItsRetention
	RETAINED=$(RETAINED) go test -count 1 -timeout 120m -run RemovesWhatIsPastItsRetention -v ./cmd/apitoken

.PHONY: table
table: ## Run the long tests on DynamoDB Local in full (only with APITOKEN_DYNAMODB=URL, from localstack/engines.sh start dynamodb)
	@[ -n "$$APITOKEN_DYNAMODB" ] || echo "Left out: the long tests on DynamoDB Local, because APITOKEN_DYNAMODB is not set."
	[ -z "$$APITOKEN_DYNAMODB" ] || APITOKEN_SOAK=1 go test -count 1 -p 1 -timeout 120m ./infra/dynamo ./localstack/attack

.PHONY: catalogue
catalogue: ## Write events/CATALOGUE.md from the schemas and samples
	go run ./cmd/catalogue

.PHONY: reference
reference: ## Write cmd/apitoken/REFERENCE.md from the help texts of the commands
	go run ./cmd/reference

# The targets below are for AWS. They need sam, or else Python 3.11 or later to install it, and the tools in each line.
SAM    = "$$(command -v sam || localstack/engines.sh tool sam)"
# given is the value of a variable that the caller set, and nothing for a default of this file.
given  = $(if $(filter file undefined,$(origin $(1))),,$($(1)))
GOARCH_OF_ARCH = $(if $(filter x86_64,$(ARCH)),amd64,arm64)

# sam build runs this target for each function. ARTIFACTS_DIR, which sam sets, is the folder for the program.
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_OF_ARCH) go build -tags lambda.norpc -trimpath -ldflags='-s -w' \
		-o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$$(echo '$*' | tr A-Z a-z)

.PHONY: template-check
template-check: ## Lint template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint
	"$$(localstack/engines.sh tool cfn-lint)" template.yaml

.PHONY: deploy
deploy: ## Deploy to AWS; asks only the first time (ARCH=arm64 STACK=apitoken CONFIG_ENV=default; needs the AWS CLI)
	ARCH=$(call given,ARCH) STACK=$(call given,STACK) infra/sam/deploy.sh

.PHONY: outputs
outputs: ## Print the addresses and names of the deployed stack (CONFIG_ENV=default; needs the AWS CLI)
	infra/sam/outputs.sh

.PHONY: undeploy
undeploy: ## Delete the stack; print what stays and what that costs (CONFIG_ENV=default; needs the AWS CLI)
	infra/sam/undeploy.sh

.PHONY: integration
integration: ## Run the tests that need emulators, which it starts and stops (Java 17, Maven, Python 3.13, Node.js 20)
	localstack/integration.sh

.PHONY: browser
browser: ## Drive the page in chromium, keep pictures of it outside of the repository (Debian's apt-get or chromium, Node.js 20)
	localstack/browser.sh

.PHONY: localstack
localstack: build ## Deploy to LocalStack in Docker, try it with and without a token, stop it
	SAM=$(SAM) localstack/localstack.sh

.PHONY: local-api
local-api: build ## Serve the functions with sam local start-api and DynamoDB Local (Docker)
	SAM=$(SAM) localstack/local-api.sh
