module github.com/kalamdb/kalamdb-go/cli

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	github.com/kalamdb/kalamdb-go/internal v0.0.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

require (
	github.com/ergochat/readline v0.1.3
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	github.com/spf13/cobra v1.10.2
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/term v0.47.0
	golang.org/x/text v0.43.0
)

replace (
	github.com/kalamdb/kalamdb-go/commons => ../commons
	github.com/kalamdb/kalamdb-go/internal => ../internal
)
