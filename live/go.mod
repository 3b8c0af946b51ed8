module github.com/kalamdb/kalamdb-go/live

go 1.26.2

require (
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	github.com/kalamdb/kalamdb-go/sql v0.0.0
	github.com/kalamdb/kalamdb-go/store v0.0.0
)

replace github.com/kalamdb/kalamdb-go/commons => ../commons

replace github.com/kalamdb/kalamdb-go/store => ../store

replace github.com/kalamdb/kalamdb-go/sql => ../sql
