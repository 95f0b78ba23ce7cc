-- name: needed_files
-- Digests of every file that a row names: image sets, checkpoints (whose manifests name more), noise tables, and training
-- states of jobs that may go on from them.
SELECT dataset_digest AS digest, false AS is_checkpoint FROM rrcm.dataset
 UNION
SELECT checkpoint_digest, true FROM rrcm.checkpoint
 UNION
SELECT table_digest, false FROM rrcm.certification_sigma WHERE table_digest IS NOT NULL
 UNION
SELECT snapshot_digest, false
  FROM rrcm.job
 WHERE snapshot_digest IS NOT NULL
   AND state IN ('queued', 'running', 'failed')
