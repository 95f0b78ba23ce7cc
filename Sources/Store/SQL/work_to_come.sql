-- name: work_to_come
-- Whether runs of kinds $1 that nobody can claim yet may become ready: submitted ones, and those a sweep will still make.
SELECT EXISTS (SELECT FROM rrcm.run r WHERE r.state = 'submitted' AND r.kind::text = ANY ($1))
       OR EXISTS (SELECT FROM rrcm.sweep s WHERE s.state = 'running') AS coming
