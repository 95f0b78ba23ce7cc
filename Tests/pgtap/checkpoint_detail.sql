-- checkpoint_detail: checkpoints with the name they got last.
\ir fixture.psql
SELECT plan(2);
SELECT results_eq('SELECT name, kind FROM rrcm.checkpoint_detail', $$ VALUES (NULL::text, 'classifier') $$, 'without a name');
INSERT INTO rrcm.checkpoint_name (name, checkpoint_digest, named_at)
VALUES ('new', repeat('c', 64), now()), ('old', repeat('c', 64), now() - interval '1 day');
SELECT is((SELECT name FROM rrcm.checkpoint_detail), 'new', 'the newest name counts, and there is one row');
SELECT * FROM finish();
