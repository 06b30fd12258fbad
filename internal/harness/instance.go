package harness

import (
	"context"
	"io"
	"net/http"
	"regexp"
)

// Instance is a disburser process.
type Instance struct {
	*Process
	Token   string // of the admin HTTP, which profiles need; "" = none
	address string // of the admin HTTP, "" until the log told it; owned by who calls Get
}

// StartInstance runs the disburser; it works only after it is ready.
func StartInstance(name, log, program, config string) (*Instance, error) {
	p, err := Start(name, log, program, "run", "--config", config)
	if err != nil {
		return nil, err
	}
	return &Instance{Process: p}, nil
}

var adminLine = regexp.MustCompile(`"address":"([^"]+)"[^\n]*"admin HTTP"`)

// Admin is the address of the admin HTTP, "" until the log tells it.
func (i *Instance) Admin() string {
	if i.address == "" {
		if m := adminLine.FindSubmatch(i.Printed()); m != nil {
			i.address = string(m[1])
		}
	}
	return i.address
}

// Get asks the admin HTTP; nothing comes of it where the process is not there.
func (i *Instance) Get(ctx context.Context, path string) (status int, body []byte) {
	if i.Admin() == "" {
		return 0, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.address+path, nil)
	if err != nil {
		return 0, nil
	}
	if i.Token != "" {
		request.Header.Set("Authorization", "Bearer "+i.Token)
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	body, _ = io.ReadAll(res.Body) // half an answer is as good as none
	return res.StatusCode, body
}

// Ready tells whether it says so.
func (i *Instance) Ready(ctx context.Context) bool {
	status, _ := i.Get(ctx, "/readyz")
	return status == http.StatusOK
}
