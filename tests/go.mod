module github.com/kalamdb/kalamdb-go/tests

go 1.26.2

require (
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	github.com/kalamdb/kalamdb-go/internal v0.0.0
)

replace (
	github.com/kalamdb/kalamdb-go/commons => ../commons
	github.com/kalamdb/kalamdb-go/core => ../core
	github.com/kalamdb/kalamdb-go/internal => ../internal
	github.com/kalamdb/kalamdb-go/live => ../live
	github.com/kalamdb/kalamdb-go/server => ../server
	github.com/kalamdb/kalamdb-go/sql => ../sql
	github.com/kalamdb/kalamdb-go/store => ../store
)
