-- Two roles for the books of the back office: the owner brings the tables up to date, the other one runs.
-- Run this once, as a superuser, in the database of the books. Passwords come afterwards: \password payout_owner in psql.
CREATE ROLE payout_owner LOGIN;
CREATE ROLE payout_books LOGIN;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO payout_owner;
GRANT USAGE ON SCHEMA public TO payout_books;

-- What the owner makes later is granted at once.
ALTER DEFAULT PRIVILEGES FOR ROLE payout_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO payout_books;
ALTER DEFAULT PRIVILEGES FOR ROLE payout_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO payout_books;
