package object_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/s3test"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/object/objecttest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestMemory(t *testing.T) {
	objecttest.Run(t, func(*testing.T) object.Bucket { return object.OpenMemory() })
}

func TestFolder(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) object.Bucket {
		b, err := object.OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestS3(t *testing.T) {
	server := s3test.Start(t, t.TempDir())
	objecttest.Run(t, func(t *testing.T) object.Bucket {
		return openS3(t, server, t.Name(), "", object.Options{PartBytes: 5 << 20})
	})
}

// openS3 opens a bucket of a server below a prefix, by way of endpoint.
func openS3(t *testing.T, s *s3test.Server, prefix, endpoint string, opts object.Options) object.Bucket {
	t.Helper()
	l, err := object.ParseLocation(object.S3, s.URI(prefix, endpoint))
	if err != nil {
		t.Fatal(err)
	}
	c, err := object.ParseCredentials(object.S3, s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	b, err := object.Open(t.Context(), l, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
