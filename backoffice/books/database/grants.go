package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// howToGrant is where the statements stand that give what is missing.
const howToGrant = "deployments/postgresql/roles.sql shows the grants"

// notGranted asks PostgreSQL what the user needs for running and doesn't have.
const notGranted = `SELECT privilege || ' on ' || name
FROM unnest(ARRAY['progress', 'payouts', 'payees', 'totals', 'batches', 'batch_events', 'dead_letters', 'replays', 'actions', 'became_held']) AS name,
     unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
WHERE NOT has_table_privilege(name, privilege)
UNION ALL
SELECT 'USAGE on ' || name
FROM unnest(ARRAY['batch_events_seq_seq', 'became_held_seq_seq']) AS name
WHERE NOT has_sequence_privilege(name, 'USAGE')
ORDER BY 1`

// granted tells whether the user may do all that running needs. Without it the first record would show what is missing.
func (b *Books) granted(ctx context.Context) error {
	if !b.sql.shared {
		return nil
	}
	var missing []string
	rows, err := b.read.QueryContext(ctx, notGranted)
	if err == nil {
		err = each(rows, func() error {
			var one string
			err := rows.Scan(&one)
			missing = append(missing, one)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("ask what the user of the books may do: %w", err)
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: its user lacks %s: %s", ErrSetup, strings.Join(missing, ", "), howToGrant)
	}
	return nil
}

// insufficientPrivilege is PostgreSQL's code for what a user may not do.
const insufficientPrivilege = "42501"

// mayNot makes an error of the setup of one that says that the user may not change tables.
func mayNot(err error) error {
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		return fmt.Errorf("%w: its user may not bring the tables up to date: run backoffice check --connect as their owner; %s: %w", ErrSetup, howToGrant, err)
	}
	return fmt.Errorf("bring the tables of the books up to date: %w", err)
}
