-- name: post_audit
-- Stores what worker ($2, $3) found when it computed the chunk of audit $1 again. Equal votes settle an audit that is due; different
-- ones raise the alarm: the item is held until arbitration has found who is wrong. Runs after lock_poster in the same transaction.
SELECT equal, own
  FROM rrcm.post_audit($1, $2, $3, $4, $5, $6)
