package object_test

import (
	"os"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/object/objecttest"
)

// envBucket names an empty bucket to try the suite on: type, uri and credentials
// with spaces between, such as "gcs gs://bucket {...}". Each test takes a prefix
// of its own in it.
const envBucket = "KALAM_TEST_BUCKET"

// TestCloud runs the suite on a bucket that somebody has, since no service of
// these clouds comes with the tests.
func TestCloud(t *testing.T) {
	given := strings.SplitN(os.Getenv(envBucket), " ", 3)
	if len(given) != 3 {
		t.Skip("no bucket of a cloud; set " + envBucket)
	}
	kind, err := object.ParseKind(given[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := object.ParseCredentials(kind, given[2])
	if err != nil {
		t.Fatal(err)
	}
	objecttest.Run(t, func(t *testing.T) object.Bucket {
		uri, params, _ := strings.Cut(given[1], "?")
		name := strings.NewReplacer(" ", "-", "'", "").Replace(t.Name())
		l, err := object.ParseLocation(kind, uri+"/"+name+"?"+params)
		if err != nil {
			t.Fatal(err)
		}
		b, err := object.Open(t.Context(), l, c, object.Options{PartBytes: 5 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
