-- name: forget_maker
-- Checkpoints outlive the runs that made them; their source still says which that was.
UPDATE rrcm.checkpoint
   SET run_id = NULL
 WHERE run_id = ANY ($1::bigint[])
