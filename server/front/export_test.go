package front

// WatchAfter is how long a request runs before its peer is watched.
const WatchAfter = watchAfter
