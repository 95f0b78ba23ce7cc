-- name: run_audit
SELECT audit_share,
       due,
       disputed,
       agreed,
       self_audited,
       undecided,
       provisional,
       voided,
       superseded
  FROM rrcm.run_audit
 WHERE run_id = $1
