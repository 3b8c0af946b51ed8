package dialect

import "github.com/kalamdb/kalamdb-go/sql/dialect/ast"

// otherShows are the SHOW statements that are refused by name.
var otherShows = []string{
	"BACKUP", "BINARY", "BINLOG", "CHARACTER", "CHARSET", "COLLATION", "COUNT", "ENGINE",
	"ENGINES", "ERRORS", "EVENTS", "EXPORTS", "FLOW", "FLOWS", "FULL", "FUNCTION", "GLOBAL", "GRANTS",
	"MASTER", "OPEN", "PLUGINS", "PRIVILEGES",
	"PROCEDURE", "PROFILE", "REPLICA", "SESSION", "SLAVE", "STATUS",
	"STORAGE", "TABLE", "TRIGGERS", "VARIABLES", "WARNINGS",
}

func (p *parser) show() (Kind, Node, error) {
	p.next()
	switch {
	case p.accept("NAMESPACES"), p.accept("DATABASES"), p.accept("SCHEMAS"):
		return p.complete(ShowNamespaces, &ast.ShowNamespaces{})
	case p.accept("USERS"):
		return p.complete(ShowUsers, &ast.ShowUsers{})
	case p.accept("SETTINGS"):
		return p.complete(ShowSettings, &ast.ShowSettings{})
	case p.accept("LIVE"):
		if err := p.expect("QUERIES"); err != nil {
			return 0, nil, err
		}
		return p.complete(ShowLiveQueries, &ast.ShowLiveQueries{})
	case p.accept("STREAMS"):
		return p.complete(ShowStreams, &ast.ShowStreams{})
	case p.accept(wordCluster):
		return p.complete(ShowCluster, &ast.ShowCluster{})
	case p.accept("JOBS"):
		return p.complete(ShowJobs, &ast.ShowJobs{})
	case p.accept("MANIFEST"):
		return p.showManifest()
	case p.accept("STATS"):
		return p.showStats()
	case p.accept("STORAGES"):
		return p.complete(ShowStorages, &ast.ShowStorages{})
	case p.accept("TABLES"):
		return p.showTables()
	case p.accept("COLUMNS"), p.accept("FIELDS"):
		if !p.accept("IN") {
			if err := p.expect("FROM"); err != nil {
				return 0, nil, err
			}
		}
		return p.describeTable()
	case p.accept("INDEX"), p.accept("INDEXES"), p.accept("KEYS"):
		return p.showIndexes()
	case p.accept(wordCreate):
		return p.showCreate()
	case p.is("TRANSACTIONS"):
		return 0, nil, p.at(0, p.refuse("SHOW TRANSACTIONS", "select from system.transactions"))
	case p.is("SESSIONS"), p.is("PROCESSLIST"), p.is("FULL", "PROCESSLIST"):
		return 0, nil, p.at(0, p.refuse("SHOW "+p.word(),
			"select from system.live_queries and system.transactions"))
	}
	return 0, nil, p.object(wordShow, []string{"NAMESPACES", "TABLES", "USERS", "SETTINGS",
		"LIVE", "STREAMS", "STORAGES", "CLUSTER", "JOBS", "MANIFEST", "STATS", "COLUMNS", "INDEX",
		"CREATE"},
		otherShows)
}
