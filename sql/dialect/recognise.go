package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// Words that statements begin with.
const (
	wordSelect    = "SELECT"
	wordWith      = "WITH"
	wordValues    = "VALUES"
	wordExplain   = "EXPLAIN"
	wordCreate    = "CREATE"
	wordAlter     = "ALTER"
	wordDrop      = "DROP"
	wordShow      = "SHOW"
	wordUse       = "USE"
	wordDescribe  = "DESCRIBE"
	wordDesc      = "DESC"
	wordSubscribe = "SUBSCRIBE"
	wordExecute   = "EXECUTE"
	wordBegin     = "BEGIN"
	wordStart     = "START"
	wordCommit    = "COMMIT"
	wordRollback  = "ROLLBACK"
	wordTruncate  = "TRUNCATE"
	wordKill      = "KILL"
	wordRestore   = "RESTORE"
	wordTrace     = "TRACE"
	wordFlush     = "FLUSH"
	wordCompact   = "COMPACT"
	wordStorage   = "STORAGE"
	wordCheck     = "CHECK"
	wordWait      = "WAIT"
	wordClear     = "CLEAR"
	wordCluster   = "CLUSTER"
	wordSet       = "SET"
)

// engineKinds are the statements that the query engine parses itself.
var engineKinds = map[string]Kind{
	wordSelect: Select, wordValues: Select, "INSERT": Insert, "UPDATE": Update, "DELETE": Delete,
	"REPLACE": Replace,
}

// ownWords are the first words of statements that are parsed here.
var ownWords = []string{
	wordWith, wordExplain, wordCreate, wordAlter, wordDrop, wordShow, wordUse, wordDescribe,
	wordDesc, wordSubscribe, wordExecute, wordTruncate, wordBegin, wordStart, wordCommit,
	wordRollback, wordKill, wordRestore,
	wordTrace, wordFlush, wordCompact, wordStorage, wordCheck, wordWait,
	wordClear, wordCluster, wordSet,
}

// notOffered are the first words of statements that are SQL, or will be ours,
// and are refused by name. The values say what to do instead.
var notOffered = map[string]string{
	"ACK": "", "ANALYZE": "", "BACKUP": "", "BINLOG": "", "CACHE": "",
	"CALL": "", "CHANGE": "", "CHECKSUM": "",
	"CONSUME": "", "COPY": "", "DEALLOCATE": "", "DECLARE": "",
	"DO": "use SELECT", "END": "", "ERASE": "", "EXPORT": "", "FETCH": "",
	"GRANT": "rights go by role: ALTER USER 'id' SET ROLE r", "HANDLER": "", "HELP": "",
	"IMPORT": "", "INSTALL": "", "LISTEN": "use SUBSCRIBE TO", "LOAD": "",
	"LOCK": "", "MERGE": "", "NOTIFY": "", "OPTIMIZE": "", "PREPARE": "", "PURGE": "",
	"REFRESH": "", "RELEASE": "", "RENAME": "", "REPAIR": "",
	"REPLAY": "", "RESET": "", "RESIGNAL": "", "REVOKE": "rights go by role: " +
		"ALTER USER 'id' SET ROLE r", "RUN": "", "SAVEPOINT": "",
	"SHUTDOWN": "", "SIGNAL": "", "STOP": "",
	"TABLE":     "use SELECT * FROM the table",
	"UNINSTALL": "", "UNLISTEN": "", "UNLOCK": "", "VACUUM": "", "XA": "",
}

// statement recognises the whole statement: its kind, and its node when it is
// one of our own.
func (p *parser) statement() (Kind, Node, error) {
	word := p.word()
	if kind, ok := engineKinds[word]; ok {
		return kind, nil, nil
	}
	switch word {
	case "":
		return p.openingSign()
	case wordWith:
		return p.with()
	case wordExplain:
		return p.explain()
	case wordCreate:
		return p.create()
	case wordAlter:
		return p.alter()
	case wordDrop:
		return p.drop()
	case wordShow:
		return p.show()
	case wordUse:
		return p.use()
	case wordDescribe, wordDesc:
		return p.describe()
	case wordSubscribe:
		return p.subscribe()
	case wordBegin, wordStart, wordCommit, wordRollback:
		return p.transaction(word)
	case wordTruncate:
		return p.truncateTable()
	case wordKill:
		return p.kill()
	case wordRestore:
		return p.restoreUser()
	case wordTrace:
		return p.traceDelivery()
	case wordClear:
		return p.clearCache()
	case wordCluster:
		return p.cluster()
	case wordSet:
		return p.setStaleness()
	}
	return p.tierStatement(word)
}

// tierStatement recognises what is about the cold tier and its jobs.
func (p *parser) tierStatement(word string) (Kind, Node, error) {
	switch word {
	case wordFlush:
		return p.flush()
	case wordCompact:
		return p.compact()
	case wordStorage:
		return p.storage()
	case wordCheck:
		return p.check()
	case wordWait:
		return p.waitForJob()
	}
	return p.unknown(word)
}

// openingSign recognises a SELECT in parentheses.
func (p *parser) openingSign() (Kind, Node, error) {
	for p.acceptKind(LeftParen) {
	}
	switch p.word() {
	case wordSelect, wordWith, wordValues:
		return Select, nil, nil
	}
	return 0, nil, p.failExpected("a statement, such as SELECT")
}

// with recognises what WITH ... stands in front of.
func (p *parser) with() (Kind, Node, error) {
	depth := 0
	for i, t := range p.toks {
		switch t.Kind {
		case LeftParen:
			depth++
		case RightParen:
			depth--
		case Identifier:
			kind, ok := engineKinds[strings.ToUpper(t.Text(p.src))]
			if ok && depth == 0 && p.toks[i-1].Kind == RightParen {
				return kind, nil, nil
			}
		}
	}
	// WITH a AS (...) (SELECT ...) is left to the engine to judge.
	if last := p.toks[len(p.toks)-1]; last.Kind == RightParen {
		return Select, nil, nil
	}
	p.i = len(p.toks)
	return 0, nil, p.failExpected("SELECT behind WITH")
}

// explain reads EXPLAIN [ANALYZE | LIVE] SELECT. The SELECT is cut out as text; running
// it judges the rest.
func (p *parser) explain() (Kind, Node, error) {
	p.next()
	n := &ast.Explain{Analyze: p.accept("ANALYZE")}
	n.Live = !n.Analyze && p.accept("LIVE")
	start := p.peek()
	switch word := p.word(); word {
	case wordSelect, wordWith, wordValues:
	case "FORMAT", "PLAN", "INSERT", "UPDATE", "DELETE", "REPLACE", "ANALYZE", "EXTENDED",
		"VERBOSE":
		return 0, nil, p.unsupported("EXPLAIN %s is not supported; use EXPLAIN SELECT", word)
	default:
		if start.Kind == LeftParen {
			break
		}
		if next := p.i + 1; word != "" && (next == len(p.toks) || p.toks[next].Kind == Dot) {
			return 0, nil, p.unsupported("EXPLAIN of a table is not supported; use DESCRIBE")
		}
		return 0, nil, p.failExpected("a SELECT to explain")
	}
	n.Offset = int(start.Start - p.toks[0].Start)
	n.Query = p.src[start.Start:p.toks[len(p.toks)-1].End]
	return Explain, n, nil
}

// unknown refuses a statement that is not offered, or is none.
func (p *parser) unknown(word string) (Kind, Node, error) {
	if instead, ok := notOffered[word]; ok {
		p2 := *p
		p2.i++
		return 0, nil, p.refuse(strings.TrimSpace(word+" "+p2.secondWord(word)), instead)
	}
	known := append([]string(nil), ownWords...)
	for w := range engineKinds {
		known = append(known, w)
	}
	for w := range notOffered {
		known = append(known, w)
	}
	return 0, nil, p.fail(fault.InvalidSQL, "%q is no statement%s",
		clip(p.peek().Text(p.src)), suggest(word, known))
}

// secondWord returns the next word where the first alone names no statement.
func (p *parser) secondWord(first string) string {
	switch first {
	case "LOAD", "SET", "START", "LOCK", "UNLOCK", "BACKUP", "RESTORE", "CLUSTER",
		"KILL", "EXPORT", "IMPORT", "ERASE", "RENAME", "RUN":
		switch word := p.word(); word {
		case "DATA", "XML", "GLOBAL", "SESSION", "NAMES", "TRANSACTION", "TABLE", "TABLES", "ALL",
			"DATABASE", "NAMESPACE", "FLUSH", "COMPACT", "JOIN", "LEAVE", "CACHE", "JOB", "USER",
			"QUERY", "LIVE", "READ", "PASSWORD", "FLOW", "FOR":
			return word
		}
	}
	return ""
}

// refuse says that a statement is known and not offered.
func (p *parser) refuse(statement, instead string) error {
	if instead != "" {
		instead = "; " + instead
	}
	return p.unsupported("%s is not supported%s", statement, instead)
}

// object recognises the word behind CREATE, ALTER, DROP or SHOW that names no
// statement of ours: one of known is refused by name.
func (p *parser) object(verb string, own, known []string) error {
	word := p.word()
	for _, k := range known {
		if word == k {
			return p.at(0, p.refuse(verb+" "+word, ""))
		}
	}
	if word == "" {
		return p.failExpected(strings.Join(own, ", ") + " behind " + verb)
	}
	return p.fail(fault.InvalidSQL, "%s %s is no statement%s", verb,
		clip(p.peek().Text(p.src)), suggest(word, append(append([]string(nil), own...), known...)))
}

// Objects that other databases, or later versions of this one, create and drop.
var otherObjects = []string{
	"AGGREGATE", "DATABASE", "DEFINER", "EVENT", "EXTENSION", "FLOW", "FULLTEXT", "FUNCTION",
	"LOGFILE", "MATERIALIZED", "POLICY", "PROCEDURE", "ROLE", "SCHEMA", "SEQUENCE",
	"SERVER", "SPATIAL", "SQL", "TABLESPACE", "TEMPORARY", "TOPIC",
	"TRIGGER", "TYPE", "VIEW", "ALGORITHM", "ONLINE", "INSTANCE", "PREPARE",
}

func (p *parser) create() (Kind, Node, error) {
	p.next()
	switch {
	case p.is("OR", "REPLACE"):
		return 0, nil, p.unsupported("CREATE OR REPLACE is not supported; drop it first")
	case p.is("DATABASE"), p.is("SCHEMA"):
		return 0, nil, p.unsupported("CREATE %s is not supported; use CREATE NAMESPACE", p.word())
	case p.is("TEMPORARY", "TABLE"):
		return 0, nil, p.unsupported("CREATE %s TABLE is not supported; use CREATE STREAM TABLE",
			p.word())
	case p.accept("NAMESPACE"):
		return p.createNamespace()
	case p.is("TABLE"), p.is("USER", "TABLE"), p.is("SHARED", "TABLE"), p.is("STREAM", "TABLE"):
		return p.createTable()
	case p.is("INDEX"), p.is("UNIQUE", "INDEX"):
		return p.createIndex()
	case p.accept("USER"):
		return p.createUser()
	case p.accept(wordStorage):
		return p.createStorage()
	case p.accept("SHARED"), p.accept("STREAM"):
		return 0, nil, p.failExpected("TABLE")
	}
	return 0, nil, p.object(wordCreate,
		[]string{"NAMESPACE", "USER", "SHARED", "STREAM", "TABLE", "INDEX", wordStorage},
		otherObjects)
}

func (p *parser) alter() (Kind, Node, error) {
	p.next()
	switch {
	case p.accept("NAMESPACE"):
		return p.alterNamespace()
	case p.is("TABLE"), p.is("USER", "TABLE"), p.is("SHARED", "TABLE"), p.is("STREAM", "TABLE"):
		return p.alterTable()
	case p.accept("USER"):
		return p.alterUser()
	case p.accept(wordStorage):
		return p.alterStorage()
	}
	return 0, nil, p.object(wordAlter,
		[]string{"NAMESPACE", "USER", "TABLE", wordStorage}, otherObjects)
}

func (p *parser) drop() (Kind, Node, error) {
	p.next()
	switch {
	case p.is("DATABASE"), p.is("SCHEMA"):
		return 0, nil, p.unsupported("DROP %s is not supported; use DROP NAMESPACE", p.word())
	case p.is("TEMPORARY", "TABLE"):
		return 0, nil, p.unsupported("DROP %s TABLE is not supported", p.word())
	case p.accept("NAMESPACE"):
		return p.dropNamespace()
	case p.is("TABLE"), p.is("USER", "TABLE"), p.is("SHARED", "TABLE"), p.is("STREAM", "TABLE"):
		return p.dropTable()
	case p.accept("INDEX"):
		return p.dropIndex()
	case p.accept("USER"):
		return p.dropUser()
	case p.accept(wordStorage):
		return p.dropStorage()
	case p.accept("SHARED"), p.accept("STREAM"):
		return 0, nil, p.failExpected("TABLE")
	}
	return 0, nil, p.object(wordDrop,
		[]string{"NAMESPACE", "USER", "SHARED", "STREAM", "TABLE", "INDEX", wordStorage},
		otherObjects)
}

// clearCache reads CLEAR CACHE.
func (p *parser) clearCache() (Kind, Node, error) {
	p.next()
	if err := p.expect("CACHE"); err != nil {
		return 0, nil, err
	}
	return p.complete(ClearCache, &ast.ClearCache{})
}

// complete returns a statement that has nothing more to say.
func (p *parser) complete(k Kind, n Node) (Kind, Node, error) {
	if p.is("LIKE") || p.is("WHERE") {
		return 0, nil, p.unsupported("%s with %s is not supported; select from the tables of "+
			"namespace system", k, p.word())
	}
	if err := p.end(); err != nil {
		return 0, nil, err
	}
	return k, n, nil
}
