-- name: checkpoint_label
-- The name that a checkpoint got last.
SELECT name
  FROM rrcm.checkpoint_detail
 WHERE checkpoint_digest = $1
