module github.com/kalamdb/kalamdb-go/core

go 1.26

require (
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/kalamdb/kalamdb-go/commons v0.0.0
	github.com/kalamdb/kalamdb-go/live v0.0.0
	github.com/kalamdb/kalamdb-go/sql v0.0.0
	github.com/kalamdb/kalamdb-go/store v0.0.0
	golang.org/x/crypto v0.58.0
)

replace (
	github.com/kalamdb/kalamdb-go/commons => ../commons
	github.com/kalamdb/kalamdb-go/live => ../live
	github.com/kalamdb/kalamdb-go/sql => ../sql
	github.com/kalamdb/kalamdb-go/store => ../store
)
