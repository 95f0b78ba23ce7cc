-- name: settle_audit
-- Ends a dispute, or makes its audit due again, with one sentence on how.
UPDATE rrcm.audit
   SET state = $2::rrcm.audit_state,
       result = $3,
       decided_at = CASE WHEN $2 = 'due' THEN NULL ELSE now() END
 WHERE audit_id = $1
   AND state = 'disputed'
RETURNING audit_id
