package lean

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

func TestAppendHead(t *testing.T) {
	common := exchange.NewCommonHeader(http.Header{"Authorization": {"Bearer abc"}})
	own := exchange.NewCommonHeader(http.Header{"Authorization": {"Bearer own"}})
	header := exchange.NewHeader([]exchange.Field{{Name: "Content-Type", Value: "text/plain"}}, 3)
	to := endpoint.Target{Host: "till:8080", PathPrefix: "/d/7"}
	for name, row := range map[string]struct {
		request exchange.Request
		want    string
	}{
		"least": {exchange.Request{To: endpoint.Target{Host: "till"}, Method: "GET", Path: "/version"},
			"GET /version HTTP/1.1|Host: till|User-Agent: fleetmark-delivery|Authorization: Bearer abc||"},
		"all": {exchange.Request{To: to, Method: "POST", Path: "/update", Header: &header,
			Own:    exchange.Field{Name: "X-Device-Id", Value: "till-17"},
			Expect: true, Identity: &exchange.Identity{Header: own}},
			"POST /d/7/update HTTP/1.1|Host: till:8080|User-Agent: fleetmark-delivery|Authorization: Bearer own|" +
				"Content-Type: text/plain|Content-Length: 3|X-Device-Id: till-17|Expect: 100-continue||"},
	} {
		x := exchange.Exchange{Request: row.request}
		require.Equal(t, strings.ReplaceAll(row.want, "|", "\r\n"), string(requestOf(&x).appendHead(nil, &common)), name)
	}
}

func TestFitsSingleWrite(t *testing.T) {
	body := func(memory []byte, size int64) *exchange.Body { return &exchange.Body{Memory: memory, Size: size} }
	for name, row := range map[string]struct {
		request exchange.Request
		want    bool
	}{
		"no body":             {exchange.Request{}, true},
		"2 KiB":               {exchange.Request{Body: body(make([]byte, 2<<10), 2<<10)}, true},
		"a byte more":         {exchange.Request{Body: body(make([]byte, 2<<10+1), 2<<10+1)}, false},
		"from a file":         {exchange.Request{Body: body(nil, 1)}, false},
		"the device is asked": {exchange.Request{Body: body([]byte("x"), 1), Expect: true}, false},
	} {
		x := exchange.Exchange{Request: row.request}
		require.Equal(t, row.want, requestOf(&x).fitsSingleWrite(), name)
	}
}
