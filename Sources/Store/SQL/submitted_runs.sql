-- name: submitted_runs
-- Runs to plan, locked for this transaction, with the state and product of what they depend on.
SELECT r.run_id,
       r.kind::text AS kind,
       r.name,
       r.spec::text AS spec,
       r.dataset_digest,
       coalesce(r.checkpoint_digest, made.checkpoint_digest) AS checkpoint_digest,
       coalesce(own.configuration, made.configuration)::text AS configuration,
       coalesce(own.kind, made.kind) AS checkpoint_kind,
       d.run_id AS dependency,
       d.state::text AS dependency_state
  FROM rrcm.run r
  LEFT JOIN rrcm.checkpoint own ON own.checkpoint_digest = r.checkpoint_digest
  LEFT JOIN rrcm.run d ON d.run_id = r.depends_on
  LEFT JOIN LATERAL (
    SELECT c.checkpoint_digest, c.configuration, c.kind
      FROM rrcm.job j
      JOIN rrcm.checkpoint c USING (checkpoint_digest)
     WHERE j.run_id = d.run_id
  ) AS made ON true
 WHERE r.state = 'submitted'
   AND (d.run_id IS NULL OR d.finished_at IS NOT NULL)
 ORDER BY r.priority DESC, r.run_id
   FOR UPDATE OF r SKIP LOCKED
