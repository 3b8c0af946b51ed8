module github.com/kalamdb/kalamdb-go/tests

go 1.26.2

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/kalamdb/kalamdb-go/internal v0.0.0
	github.com/schollz/progressbar/v3 v3.19.1
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.46.0 // indirect
	golang.org/x/term v0.44.0 // indirect
	golang.org/x/text v0.41.0 // indirect
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
