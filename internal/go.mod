module github.com/kalamdb/kalamdb-go/internal

go 1.26

require (
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	go.uber.org/goleak v1.3.0
)

replace github.com/kalamdb/kalamdb-go/commons => ../commons
