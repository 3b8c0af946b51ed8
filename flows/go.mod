module github.com/kalamdb/kalamdb-go/flows

go 1.26
