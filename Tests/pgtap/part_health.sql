-- part_health: one row per coordinator and aggregator; one of the coordinators leads while its term holds.
\ir fixture.psql
SELECT plan(4);
INSERT INTO rrcm.part (kind, host, pid, software, beat_at)
VALUES ('coordinator', 'h', 1, 's', now() - interval '2 seconds'),
       ('coordinator', 'h', 2, 's', now() - interval '4 seconds'),
       ('aggregator', 'h', 3, 's', now() - interval '90 seconds');
SELECT is((SELECT count(*) FROM rrcm.part_health WHERE leads), 0::bigint, 'before an election nobody leads');
UPDATE rrcm.leadership
   SET term = 7, part_id = (SELECT part_id FROM rrcm.part WHERE pid = 2), deadline_at = now() + interval '1 second';
SELECT results_eq(
  $$ SELECT kind::text, pid, term, leads, silent_seconds FROM rrcm.part_health ORDER BY pid $$,
  $$ VALUES ('coordinator', 1, NULL::bigint, false, 2::double precision),
            ('coordinator', 2, 7, true, 4),
            ('aggregator', 3, NULL, false, 90) $$,
  'the elected one leads under its term');
UPDATE rrcm.leadership SET deadline_at = now() - interval '1 second';
SELECT results_eq(
  $$ SELECT term, leads FROM rrcm.part_health WHERE pid = 2 $$, $$ VALUES (7::bigint, false) $$,
  'once its time is over it does not lead, though nobody else was elected');
DELETE FROM rrcm.part WHERE pid = 2;
SELECT is((SELECT part_id FROM rrcm.leadership), NULL::bigint, 'who was forgotten leads no more');
SELECT * FROM finish();
