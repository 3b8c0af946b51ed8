package keyspace_test
const (shardAlice=0; shardMail=0; shardAuth0=0; shardEmpty=0)
