package main

import (
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/server/config"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/tests/rights"
)

// pages returns all pages of the reference.
func pages() ([]page, error) {
	rows, err := rights.Rows()
	if err != nil {
		return nil, err
	}
	return []page{
		statements(), rightsOf(rows), functions(), dataTypes(), systemTables(), settings(), errorCodes(),
	}, nil
}

func rightsOf(rows []rights.Row) page {
	p := page{file: "rights.md", title: "Rights", intro: "What every caller hears, as a test tries " +
		"it on a server.\n\n" + strings.Join(rights.Legend(), "\n\n")}
	for _, r := range rows {
		if len(p.parts) == 0 || p.parts[len(p.parts)-1].heading != r.Kind {
			p.parts = append(p.parts, table{heading: r.Kind,
				columns: append([]string{"statement"}, rights.Callers[:]...)})
		}
		sql := r.SQL
		if r.Socket {
			sql = "ws " + sql
		}
		if r.As != "" {
			sql = "@" + r.As + " " + sql
		}
		cells := []string{code(sql)}
		for _, want := range r.Want {
			cells = append(cells, rights.Word(want))
		}
		last := &p.parts[len(p.parts)-1]
		last.rows = append(last.rows, cells)
	}
	return p
}

func statements() page {
	p := page{file: "statements.md", title: "Statements",
		intro: "Every kind of statement, by area. The same table is `system.statements`."}
	for _, k := range dialect.Kinds() {
		if len(p.parts) == 0 || p.parts[len(p.parts)-1].heading != k.Area {
			p.parts = append(p.parts, table{heading: k.Area,
				columns: []string{"statement", "form", "example", "who"}})
		}
		last := &p.parts[len(p.parts)-1]
		last.rows = append(last.rows, []string{k.Text, code(k.Form), code(k.Example), k.Who})
	}
	return p
}

func functions() page {
	p := page{file: "functions.md", title: "Functions",
		intro: "Functions that SQL may call. *Live-safe* ones depend on their arguments only and " +
			"may stand in a live query too. A function that is not listed is refused."}
	names := map[engine.Use][]string{}
	own := table{heading: "Of KalamDB itself", columns: []string{"function", "returns"}}
	for _, f := range engine.Functions() {
		if f.Own {
			own.rows = append(own.rows, []string{code(f.Name + "(" + f.Args + ")"), f.About})
			continue
		}
		names[f.Use] = append(names[f.Use], f.Name)
	}
	p.parts = append(p.parts, own)
	all := table{heading: "All others", columns: []string{"use", "functions"}}
	for _, use := range []engine.Use{engine.LiveSafe, engine.Allowed, engine.Refused} {
		all.rows = append(all.rows, []string{use.String(), strings.Join(names[use], ", ")})
	}
	p.parts = append(p.parts, all)
	return p
}

func dataTypes() page {
	t := table{columns: []string{"type", "also written", "`data_type` in results", "in a primary key",
		"arguments and range"}}
	for _, k := range value.Kinds() {
		if !k.Column {
			continue
		}
		t.rows = append(t.rows, []string{
			code(k.SQL), strings.Join(k.Alias, ", "), code(k.Name), yes(k.Key), k.Limits})
	}
	return page{file: "data-types.md", title: "Data types", parts: []table{t},
		intro: "The types of columns. The same table is `system.data_types`."}
}

func systemTables() page {
	p := page{file: "system-tables.md", title: "System tables",
		intro: "The tables of the namespace `system`. They are read with SELECT and never written."}
	for _, t := range catalog.SystemTables() {
		part := table{heading: "system." + string(t.Name), intro: t.Comment,
			columns: []string{"column", "type", "key", "what"}}
		for i, c := range t.Columns {
			part.rows = append(part.rows, []string{
				code(c.Name), c.Type.Kind.SQL(), yes(t.IsKey(i)), c.Comment})
		}
		p.parts = append(p.parts, part)
	}
	return p
}

func settings() page {
	p := page{file: "settings.md", title: "Settings",
		intro: "The keys of `kalamdb.toml`. Each has an environment variable that wins over the " +
			"file. `kalamdb-server config reference` prints the same as a file to start from."}
	for _, s := range config.Settings() {
		if len(p.parts) == 0 || p.parts[len(p.parts)-1].heading != "["+s.Section+"]" {
			p.parts = append(p.parts, table{heading: "[" + s.Section + "]",
				columns: []string{"key", "type", "default", "environment", "what"}})
		}
		last := &p.parts[len(p.parts)-1]
		kind := s.Type()
		if s.Values != nil {
			kind = strings.Join(s.Values, " or ")
		}
		last.rows = append(last.rows, []string{
			code(s.Key), kind, code(s.Default), code(s.Env()), s.Doc})
	}
	return p
}

func errorCodes() page {
	t := table{columns: []string{"code", "HTTP", "WebSocket close", "try again", "what it means"}}
	for _, c := range fault.Table() {
		t.rows = append(t.rows, []string{code(string(c.Code)), strconv.Itoa(c.HTTP),
			strconv.Itoa(c.Close), yes(c.Retryable), c.Summary})
	}
	return page{file: "error-codes.md", title: "Error codes", parts: []table{t},
		intro: "The `code` of every error, over HTTP, on the WebSocket and in the library. " +
			"The same table is `system.error_codes`."}
}
