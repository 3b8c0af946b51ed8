package engine

import (
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Use says where a function may be called.
type Use uint8

// The uses of functions.
const (
	Allowed  Use = iota + 1 // in any statement
	LiveSafe                // also in a live query: pure, of its arguments alone
	Refused                 // nowhere
)

// String returns the use in a word, for the documentation.
func (u Use) String() string {
	switch u {
	case Allowed:
		return "allowed"
	case LiveSafe:
		return "live-safe"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// FunctionInfo is a row of the table of functions.
type FunctionInfo struct {
	Name string // upper case
	Use  Use
	Own  bool // ours, not the library's
	// Args and About are of ours, as the documentation writes them.
	Args, About string
}

// liveSafe are the functions whose result depends on their arguments only.
const liveSafe = `
abs acos ascii asin atan atan2 bin bin_to_uuid bit_count bit_length ceil ceiling char char_length
character_length coalesce concat concat_ws conv cos cot crc32 date datediff datetime
date_add date_sub
adddate subdate date_format day dayname dayofmonth dayofweek dayofyear degrees elt exp export_set
extract field find_in_set floor format from_base64 from_days from_unixtime get_format greatest hex
hour if ifnull inet_aton inet_ntoa inet6_aton inet6_ntoa insert instr is_binary is_ipv4
is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append
json_array_insert json_contains json_contains_path json_depth json_extract json_insert json_keys
json_length json_merge json_merge_patch json_merge_preserve json_object json_overlaps json_pretty
json_quote json_remove json_replace json_search json_set json_type json_unquote json_valid
json_value last_day lcase least left length ln locate log log10 log2 lower lpad ltrim make_set md5
microsecond mid minute mod month monthname nullif oct octet_length ord pi pow power quarter quote
radians regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right round
rpad rtrim second sha sha1 sha2 sign sin soundex space sqrt str_to_date strcmp substr substring
substring_index tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff
to_base64 to_days truncate trim ucase unhex upper uuid_to_bin week weekday weekofyear year yearweek
weight_string distance string_to_vector to_vector vec_distance vec_distance_l2_squared
vec_distance_euclidean vec_distance_cosine vec_fromtext vector_to_string from_vector vec_totext
charset coercibility collation convert_tz
`

// ofRows are aggregates and window functions: their value depends on the rows
// that the statement reads, and on nothing else.
const ofRows = `
any_value avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max min std
stddev stddev_pop stddev_samp sum variance var_pop var_samp first last
dense_rank first_value lag last_value lead ntile percent_rank rank row_number
`

// allowed are the functions that depend on the time, on chance or on the session.
const allowed = `
curdate current_date current_time current_timestamp curtime localtime localtimestamp now
unix_timestamp utc_date utc_time utc_timestamp
rand random_bytes uuid
version
`

// refused are the functions that wait, lock, read files, or tell of the
// server, and those that nothing needs: a spatial type does not exist.
const refused = `
compress uncompress uncompressed_length
benchmark connection_id current_user database found_rows get_lock gtid_subtract icu_version
is_free_lock is_used_lock json_schema_valid json_schema_validation_report json_storage_free
json_storage_size json_table last_insert_id last_insert_uuid load_file master_pos_wait name_const
release_all_locks release_lock row_count schema session_user sleep sysdate system_user user
uuid_short validate_password_strength values
geomcollection geometrycollection linestring multilinestring multipoint multipolygon point polygon
`

// spatialPrefix begins the names of the library's spatial functions.
const spatialPrefix = "st_"

// own are our functions, with their arguments and what they return.
var own = map[string][2]string{
	"cosine_distance": {"a, b", "1 minus the cosine of the angle between two embeddings: 0 for " +
		"the same direction, 2 for the opposite; NULL when one is NULL or all zeros"},
	"l2_distance": {"a, b", "the length of the difference of two embeddings; NULL when one is NULL. " +
		"Both take EMBEDDING columns, parameters and texts such as '[1, 0.5]'; two lengths are " +
		"VALUE_OUT_OF_RANGE. NULL comes first in ORDER BY: leave such rows out in the WHERE"},
	"current_namespace": {"", "the namespace in use"},
	"current_role":      {"", "the role of the caller"},
	"current_user_id":   {"", "the user whose rows the statement sees"},
	"snowflake_id":      {"", "a new BIGINT, ascending in time"},
	"ulid":              {"", "a new ULID as text, ascending in time"},
	"uuid_v7":           {"", "a new UUID of version 7, ascending in time"},
}

var functionTable = func() map[string]Use {
	m := make(map[string]Use)
	lists := map[Use]string{LiveSafe: liveSafe, Allowed: ofRows + allowed, Refused: refused}
	for use, names := range lists {
		for _, n := range strings.Fields(names) {
			m[n] = use
		}
	}
	for n := range own {
		m[n] = Allowed
		if _, pure := metrics[n]; pure {
			m[n] = LiveSafe
		}
	}
	return m
}()

var rowFunctions = func() map[string]bool {
	m := make(map[string]bool)
	for _, n := range strings.Fields(ofRows) {
		m[n] = true
	}
	return m
}()

// functionUse returns where the function called name (lower case) may be used.
// A function that is in no list is not known: what a newer version of the
// library brings is refused until it is listed.
func functionUse(name string) (Use, bool) {
	if strings.HasPrefix(name, spatialPrefix) {
		return Refused, true
	}
	u, ok := functionTable[name]
	return u, ok
}

// likely suggests a function that is called nearly so.
func likely(name string) string {
	var known []string
	for n, use := range functionTable {
		if use != Refused {
			known = append(known, n)
		}
	}
	slices.Sort(known)
	if near := fault.Nearest(name, known); near != "" {
		return "; did you mean " + strings.ToUpper(near) + "?"
	}
	return ""
}

// Functions returns the table of functions by name.
func Functions() []FunctionInfo {
	out := make([]FunctionInfo, 0, len(functionTable))
	for n, u := range functionTable {
		f := FunctionInfo{Name: strings.ToUpper(n), Use: u}
		if ours, ok := own[n]; ok {
			f.Own, f.Args, f.About = true, ours[0], ours[1]
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b FunctionInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}
