// Package link promises connections to Kafka as the configuration describes them, for every program.
package link

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"disburser/config"
)

// TLS are the settings of encrypted connections, nil where they aren't.
func TLS(c config.KafkaTLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file, key_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// SASL is the login, nil where there is none.
func SASL(c config.SASL) (sasl.Mechanism, error) {
	var m sasl.Mechanism
	var err error
	switch c.Mechanism {
	case "plain":
		m = plain.Mechanism{Username: c.Username, Password: c.Password.Reveal()}
	case "scram-sha-256":
		m, err = scram.Mechanism(scram.SHA256, c.Username, c.Password.Reveal())
	case "scram-sha-512":
		m, err = scram.Mechanism(scram.SHA512, c.Username, c.Password.Reveal())
	}
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: the user name or password can't be used: %w", err)
	}
	return m, nil
}
