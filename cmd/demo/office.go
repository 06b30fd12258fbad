package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/service"
	"disburser/config"
	"disburser/internal/audit"
	"disburser/internal/rules"
	"disburser/payout/secrets"
)

// office is the back office of this process: it reads along, and is asked as people would ask it.
type office struct {
	api.Client        // of alice, who may say everything that needs one person
	second     string // the token of bob, who confirms
	folder     string // of its database
}

// anyPort is an address that is always free.
const anyPort = "127.0.0.1:0"

// openOffice starts a back office, which runs until the instances' world is closed.
func (w *world) openOffice(logTo io.Writer) error {
	folder, err := os.MkdirTemp("", "disburser-demo-books-*")
	if err != nil {
		return fmt.Errorf("a temporary folder for the books: %w", err)
	}
	w.office.folder = folder
	token, sum := service.NewToken()
	second, secondSum := service.NewToken()
	key, _ := service.NewToken()
	c := w.config()
	c.Backoffice.Database, c.Backoffice.PayeeKey = secrets.New("sqlite:"+filepath.Join(folder, "books.db")), secrets.New(key)
	c.Backoffice.Disbursers = w.disbursers
	c.Backoffice.Users = config.Users{
		{Name: "alice", SHA256: sum, Roles: []string{config.Viewer, config.Operator}}, {Name: "bob", SHA256: secondSum, Roles: []string{config.Viewer, config.Approver}},
	}
	merchants, err := rules.Of(c.Merchants)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", w.setup.listen)
	if err != nil {
		listener, err = net.Listen("tcp", anyPort) // somebody else has it
	}
	if err != nil {
		return err
	}
	s, err := service.New(c, merchants, service.Options{DialKafka: w.kafka.Dial, Listener: listener, LogTo: logTo})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stopOffice = cancel
	w.office.Client, w.office.second = api.Client{URL: "http://" + listener.Addr().String(), Token: token}, second
	w.reading.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.note(fmt.Errorf("the back office: %w", err))
		}
	})
	return nil
}

// closeOffice ends it, also after half a start.
func (w *world) closeOffice() {
	w.stopOffice()
	w.reading.Wait()
	if w.office.folder != "" {
		_ = os.RemoveAll(w.office.folder) // it holds no payee in clear
	}
}

// catchUp is how long the books may take to read what is there, once everything has stopped.
const catchUp = 5 * time.Second

// account asks the books until they agree with the provider's ledger, or until their time is up. It answers what they say, and
// what doesn't agree.
func (w *world) account(ctx context.Context, check func(audit.Account) []string) (a audit.Account, differences []string) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		var err error
		if a, err = audit.Ask(ctx, w.office.Client); err != nil {
			differences = []string{"the books can't be asked: " + err.Error()}
		} else if differences = check(a); len(differences) == 0 {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return a, differences
		case <-time.After(look):
		}
	}
}
