// Package config holds the settings of kalamdb-server. Each setting is one row
// of a table: section, key, default, bounds and documentation. The parser of
// kalamdb.toml, the environment twins KALAMDB_SECTION_KEY, the printed
// reference and system.settings are all made from that table, so they can't
// disagree.
//
// The package reads a file and the environment it is handed once, at start. It
// keeps no state, watches nothing and knows neither flags nor what the
// settings are for.
package config
