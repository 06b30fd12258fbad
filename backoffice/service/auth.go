package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"disburser/config"
)

// NewToken makes a token, and what stands of it in the configuration.
func NewToken() (token, sum string) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	return token, sumOf(token)
}

func sumOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// userOf finds whose token it is. It compares with each user, whoever it is, so that the time tells nothing.
func userOf(users config.Users, header string) (found config.User, known bool) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return config.User{}, false
	}
	sum := []byte(sumOf(strings.TrimSpace(token)))
	for _, u := range users {
		if subtle.ConstantTimeCompare(sum, []byte(u.SHA256)) == 1 {
			found, known = u, true
		}
	}
	return found, known
}

// unknownToken says what to do, to a caller without a token and to one whose token is nobody's.
func unknownToken(header string) string {
	if header == "" {
		return "give your token: Authorization: Bearer TOKEN; backoffice token makes one"
	}
	return "nobody here has this token: is it whole, is it for this back office, was it changed? Whoever runs the back office can tell"
}

// roleKey is where an operation says which roles it needs: one of them.
const roleKey = "roles"

// userKey is where a request has its user.
type userKey struct{}

// userIn is who asks.
func userIn(ctx context.Context) config.User {
	user, _ := ctx.Value(userKey{}).(config.User)
	return user
}

// guard lets through who has the role that the operation needs. An operation that says none is for nobody.
func (s *Service) guard(a huma.API) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		c.SetHeader("Cache-Control", "no-store")
		c.SetHeader("X-Content-Type-Options", "nosniff")
		user, known := userOf(s.config.Backoffice.Users, c.Header("Authorization"))
		roles, _ := c.Operation().Metadata[roleKey].([]string)
		switch {
		case !known:
			c.SetHeader("WWW-Authenticate", "Bearer")
			_ = huma.WriteErr(a, c, http.StatusUnauthorized, unknownToken(c.Header("Authorization"))) // the caller is gone
		case !slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(user.Roles, role) }):
			_ = huma.WriteErr(a, c, http.StatusForbidden, "you need the role "+strings.Join(roles, " or ")) // the caller is gone
		case !readable(c.URL()):
			_ = huma.WriteErr(a, c, http.StatusUnprocessableEntity, "the question has bytes that are no UTF-8 text, or zero bytes") // the caller is gone
		default:
			next(huma.WithValue(c, userKey{}, user))
		}
	}
}

// readable tells that a question is text as every database takes it: PostgreSQL refuses what isn't UTF-8, and zero bytes.
func readable(u url.URL) bool {
	query, err := url.QueryUnescape(u.RawQuery)
	return err == nil && utf8.ValidString(u.Path) && utf8.ValidString(query) && !strings.ContainsRune(u.Path+query, 0)
}
