package plan

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// Marks in a shape. Outside of quotes they can't stand in a text that lexes.
const (
	literalMark = '\x01'
	ownerMark   = '\x02'
)

// appendShape appends a text without what may differ between statements that
// share a plan: literals and the users in names of three parts are replaced by
// marks, and what stands between tokens by one space. Where nothing stands it
// stays so: COUNT( *) names its column otherwise than COUNT(*). Statements of
// one shape have as many tokens, so a plan knows literals by their positions.
// literals reports whether anything was replaced.
func appendShape(dst []byte, t source) (shape []byte, literals bool) {
	for i, tok := range t.toks {
		if i > 0 && tok.Start > t.toks[i-1].End {
			dst = append(dst, ' ')
		}
		switch {
		case tok.Kind == dialect.String, tok.Kind == dialect.Number:
			dst, literals = append(dst, literalMark), true
		case isOwner(t, i):
			dst, literals = append(dst, ownerMark), true
		default:
			dst = append(dst, tok.Text(t.src)...)
		}
	}
	return dst, literals
}

// isOwner reports whether the token at i is the user in ns.user.t. The word
// USER is none: it means the acting user.
func isOwner(t source, i int) bool {
	if i < 2 || i+2 >= len(t.toks) ||
		t.toks[i-1].Kind != dialect.Dot || t.toks[i+1].Kind != dialect.Dot {
		return false
	}
	return isName(t.toks[i]) && !t.toks[i].Is(t.src, "USER")
}

func isName(t dialect.Token) bool {
	return t.Kind == dialect.Identifier || t.Kind == dialect.QuotedIdentifier
}

// reserved are the words that are no names to the engine's parser unless they
// are quoted, or that mean something else there. Words that begin with _ or
// end with _admin are such words too.
var reserved = words(`accessible add all alter analyze and as asc asensitive
	audit_abort_exempt before between bigint binary bit_and bit_or bit_xor blob both by call
	cascade case change char character check collate column condition constraint continue
	convert copy create cross cube cume_dist current_date current_time current_timestamp
	current_user cursor database databases day_hour day_microsecond day_minute day_second dec
	decimal declare default delayed delete dense_rank desc describe deterministic distinct
	distinctrow div double drop dual each else elseif empty enclosed encrypted encryption_key_id
	escape escaped except exclusive exists exit explain false fetch firewall_exempt
	firewall_user first_value float float4 float8 flush_optimizer_costs flush_status
	flush_tables flush_user_resources for force foreign format from fulltext function generated
	get grant group group_concat group_replication_stream grouping groups having high_priority
	hour_microsecond hour_minute hour_second if ignore in index infile inner
	innodb_redo_log_archive innodb_redo_log_enable inout insensitive insert inplace int int1
	int2 int3 int4 int8 integer interval intersect into io_after_gtids io_before_gtids is
	itef_quotes iterate join json_arrayagg json_objectagg json_table key keys kill lag
	last_value lateral lead leading leave left like limit linear lines load localtime
	localtimestamp lock long longblob longtext loop low_priority master_bind
	master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext middleint
	minute_microsecond minute_second mod modifies natural ndb_stored_user next
	no_write_to_binlog not now nth_value ntile null numeric of off on optimize optimizer_costs
	option optionally or order out outer outfile over page_checksum page_compressed
	page_compression_level partition percent_rank plan precision primary procedure purge range
	rank read read_write reads real recursive references regexp release rename repeat replace
	replication_applier require resignal resource_group_user restrict return returning revoke
	right rlike row row_number rows schema schemas second_microsecond select sensitive
	sensitive_variables_observer separator set set_user_id shared show show_routine signal
	skip_query_rewrite smallint spatial specific sql sql_big_result sql_cache
	sql_calc_found_rows sql_no_cache sql_small_result sqlexception sqlstate sqlwarning ssl
	starting std stddev stddev_pop stddev_samp stored straight_join substr substring system
	system_time table terminated then tinyblob tinyint tinytext to tp_connection_admin trailing
	transactional trigger true undo union unique unlock unsigned update usage use using utc_date
	utc_time utc_timestamp values var_pop var_samp varbinary varchar varcharacter variance
	varying vector virtual when where while window with write xor year_month yes zerofill`)

func words(list string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// isReserved judges an unquoted word in lower case.
func isReserved(word string) bool {
	return reserved[word] || strings.HasPrefix(word, "_") || strings.HasSuffix(word, "_admin") ||
		word[0] >= '0' && word[0] <= '9'
}
