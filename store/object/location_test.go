package object_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store/object"
)

func TestParseLocation(t *testing.T) {
	for _, test := range []struct {
		kind object.Kind
		uri  string
		want object.Location
	}{
		{object.Filesystem, "/var/cold/", object.Location{Dir: "/var/cold"}},
		{object.Filesystem, "file:///var/a%20b", object.Location{Dir: "/var/a b"}},
		{object.S3, "s3://my.bucket", object.Location{Bucket: "my.bucket"}},
		{object.S3, "s3://b-1/a/b/?region=eu-west-1",
			object.Location{Bucket: "b-1", Prefix: "a/b/", Region: "eu-west-1"}},
		{object.S3, "s3://b-1/?endpoint=https://minio:9000/", object.Location{
			Bucket: "b-1", Endpoint: "https://minio:9000", PathStyle: true}},
		{object.S3, "s3://b-1/?endpoint=https://minio:9000&path_style=false", object.Location{
			Bucket: "b-1", Endpoint: "https://minio:9000"}},
		{object.GCS, "gs://bucket/x", object.Location{Bucket: "bucket", Prefix: "x/"}},
		{object.Azure, "azblob://box/x?account=me", object.Location{
			Bucket: "box", Prefix: "x/", Account: "me"}},
	} {
		test.want.Kind = test.kind
		if got, err := object.ParseLocation(test.kind, test.uri); err != nil || got != test.want {
			t.Errorf("%s is %+v, %v", test.uri, got, err)
		}
	}
}

func TestParseLocation_refuses(t *testing.T) {
	for _, test := range []struct {
		kind object.Kind
		uri  string
	}{
		{object.Filesystem, ""}, {object.Filesystem, "cold"}, {object.Filesystem, "./cold"},
		{object.Filesystem, "/"}, {object.Filesystem, "file:///"}, {object.Filesystem, "/a/../b"},
		{object.Filesystem, "file://host/a"}, {object.Filesystem, "file:///a?x=1"},
		{object.Filesystem, "s3://bucket/"}, {object.Filesystem, "/a\x00"},
		{object.S3, "gs://bucket"}, {object.S3, "s3://"}, {object.S3, "s3:///a"}, {object.S3, "bucket"},
		{object.S3, "s3://key:secret-word@bucket/"}, {object.S3, "s3://bucket/../x"},
		{object.S3, "s3://bucket/?secret=secret-word"}, {object.S3, "s3://bucket/?region=a&region=b"},
		{object.S3, "s3://bucket/?endpoint=ftp://x"}, {object.S3, "s3://bucket/?endpoint=localhost:9000"},
		{object.S3, "s3://bucket/?endpoint=https://a:secret-word@host"}, {object.S3, "s3://bucket/#x"},
		{object.S3, "s3://bucket/?endpoint=https://host?x=secret-word"},
		{object.S3, "s3://bucket/?region=a%0Ab"}, {object.S3, "s3://bucket:80/"},
		{object.S3, "s3://bucket/" + strings.Repeat("x/", 100)}, {object.S3, "s3://bucket/?path_style=7"},
		{object.S3, "s3://bucket/%00"}, {object.S3, "s3://buc ket/"},
		{object.GCS, "gs://bucket?region=x"}, {object.Azure, "azblob://box?account=a.b"}, {"tape", "tape://x"},
	} {
		_, err := object.ParseLocation(test.kind, test.uri)
		if !fault.Is(err, fault.InvalidParameter) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: %v", test.uri, err)
		}
	}
}

func TestLocation_Overlaps(t *testing.T) {
	parse := func(kind object.Kind, uri string) object.Location {
		l, err := object.ParseLocation(kind, uri)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, test := range []struct {
		kind object.Kind
		a, b string
		want bool
	}{
		{object.Filesystem, "/a", "file:///a/", true}, {object.Filesystem, "/a", "/a/b", true},
		{object.Filesystem, "/a", "/ab", false}, {object.S3, "s3://bucket", "s3://bucket/x", true},
		{object.S3, "s3://bucket/x", "s3://bucket/xy", false},
		{object.S3, "s3://bucket/x", "s3://bucket/x?endpoint=http://h", false},
		{object.S3, "s3://bucket", "s3://bucket2", false},
	} {
		a, b := parse(test.kind, test.a), parse(test.kind, test.b)
		if a.Overlaps(b) != test.want || b.Overlaps(a) != test.want {
			t.Errorf("%s and %s", test.a, test.b)
		}
	}
}

func TestParseCredentials(t *testing.T) {
	for _, test := range []struct {
		kind object.Kind
		text string
	}{
		{object.S3, `{"access_key_id": "a", "secret_access_key": "b"}`},
		{object.S3, `{"access_key_id": "a", "secret_access_key": "b", "session_token": "c"}`},
		{object.GCS, `{"type": "service_account", "client_email": "a", "private_key": "b"}`},
		{object.GCS, `{"anonymous": "true"}`},
		{object.Azure, `{"account_name": "a", "account_key": "b"}`},
		{object.Azure, `{"account_name": "a", "sas_token": "b"}`}, {object.S3, ""},
	} {
		c, err := object.ParseCredentials(test.kind, test.text)
		if err != nil || c.Empty() != (test.text == "") {
			t.Errorf("%s: %v", test.text, err)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(text, `b`) &&
			strings.Contains(text, "key") {
			t.Errorf("credentials print as %s", text)
		}
		again, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := object.ParseCredentials(test.kind, again); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	}
}

func TestParseCredentials_refuses(t *testing.T) {
	for _, test := range []struct {
		kind object.Kind
		text string
	}{
		{object.S3, `{"access_key_id": "secret-word"}`}, {object.S3, `secret-word`}, {object.S3, `["secret-word"]`},
		{object.S3, `{"access_key_id": "a", "secret_access_key": "secret-word", "x": "y"}`},
		{object.S3, `{"access_key_id": "", "secret_access_key": "secret-word"}`},
		{object.S3, `{"access_key_id": 7, "secret_access_key": "secret-word"}`},
		{object.S3, `{"secret_access_key": "secret-word"`},
		{object.GCS, `{"type": "external_account", "client_email": "a", "private_key": "secret-word"}`},
		{object.Azure, `{"account_name": "a"}`}, {object.Filesystem, `{"a": "secret-word"}`},
	} {
		_, err := object.ParseCredentials(test.kind, test.text)
		if !fault.Is(err, fault.InvalidParameter) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	f.Add("s3", "s3://bucket/a?endpoint=http://x")
	f.Add("filesystem", "file:///a/%2e%2e/b")
	f.Fuzz(func(t *testing.T, kind, uri string) {
		l, err := object.ParseLocation(object.Kind(kind), uri)
		if err != nil {
			if !fault.Is(err, fault.InvalidParameter) {
				t.Fatal(err)
			}
			return
		}
		if !l.Overlaps(l) || strings.Contains(l.Dir+"/"+l.Prefix, "/../") {
			t.Fatalf("%q is %+v", uri, l)
		}
	})
}
