-- name: dead_rows
-- Dead rows of the given tables, as the server's statistics have it.
SELECT relname::text AS name,
       n_dead_tup AS dead
  FROM pg_stat_user_tables
 WHERE schemaname = 'rrcm'
   AND relname = ANY ($1::text[])
