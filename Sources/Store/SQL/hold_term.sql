-- name: hold_term
-- First statement of each of the leader's transactions: nobody is elected before it ends, and the term goes on for $2
-- seconds. No row back means that term $1 is over: write nothing. A leader that freezes in its transaction is cut off
-- after as long.
UPDATE rrcm.leadership
   SET deadline_at = now() + make_interval(secs => $2::double precision)
 WHERE term = $1
   AND part_id IS NOT NULL
RETURNING term,
          set_config('idle_in_transaction_session_timeout', ceil($2::double precision * 1000)::bigint::text, true) AS cut_off_after
