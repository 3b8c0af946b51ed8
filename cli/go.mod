module github.com/kalamdb/kalamdb-go/cli

go 1.26

require (
	github.com/coder/websocket v1.8.15
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	github.com/kalamdb/kalamdb-go/internal v0.0.0
)

require (
	github.com/oklog/ulid/v2 v2.1.2 // indirect
	go.uber.org/goleak v1.3.0 // indirect
)

replace (
	github.com/kalamdb/kalamdb-go/commons => ../commons
	github.com/kalamdb/kalamdb-go/internal => ../internal
)
