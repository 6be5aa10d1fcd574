// Leads a client with constant hosts to the sandbox: copy this file beside the client's package main.
package main

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
)

var metaHost = regexp.MustCompile(`(^|\.)(facebook|instagram)\.com$`)

type toSandbox struct{ base http.RoundTripper }

func (t toSandbox) RoundTrip(request *http.Request) (*http.Response, error) {
	if metaHost.MatchString(request.URL.Hostname()) {
		address := os.Getenv("SANDBOX_URL")
		if address == "" {
			address = "http://127.0.0.1:8077"
		}
		sandbox, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Header.Set("X-Meta-Host", request.URL.Hostname())
		request.URL.Scheme, request.URL.Host, request.Host = sandbox.Scheme, sandbox.Host, sandbox.Host
	}
	return t.base.RoundTrip(request)
}

func init() { http.DefaultTransport = toSandbox{http.DefaultTransport} }
