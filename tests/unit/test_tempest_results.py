"""What a run of Tempest means: nothing passes that was not seen to, and nothing stays excused that passes."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from tools import tempest_results as results

KNOWN = pathlib.Path(__file__).parents[1] / 'tempest/known.yaml'
A, B, C = (f'tempest.api.identity.Things.test_{x}' for x in 'abc')
JUNIT = """<testsuite errors="1" failures="0" name="" tests="4" time="1.000">
<testcase classname="tempest.api.identity.Things" name="test_a[id-1,smoke]" time="0.1"/>
<testcase classname="tempest.api.identity.Things" name="test_b[id-2]" time="0.1">
<failure type="testtools.testresult.real._StringException">_StringException: Traceback
tempest.lib.exceptions.ServerFault: Got server fault
Details: an error
}
</failure>
</testcase>
<testcase classname="tempest.api.identity.Things" name="test_c[id-3]" time="0.1">
<skipped>no such feature</skipped>
</testcase>
<testcase classname="" name="setUpClass (tempest.api.image.Others)" time="0.000">
<skipped>one store</skipped>
</testcase>
</testsuite>
"""


def known(test: str, ending: results.Ending) -> results.Known:
    return results.Known(test, ending, 'the package lacks it')


def judge(*here: results.Known, junit: str = JUNIT):
    return results.judge((A, B, C), results.outcomes(junit), here)


def test_each_outcome_is_read_with_its_reason():
    assert list(results.outcomes(JUNIT)) == [
        results.Outcome(A, 'pass'),
        results.Outcome(B, 'fail', 'Details: an error'),
        results.Outcome(C, 'skip', 'no such feature'),
        results.Outcome('tempest.api.image.Others', 'skip', 'one store'),
    ]


def test_what_a_failure_says_is_told_in_few_words():
    text = f'<testsuite><testcase classname="a" name="b"><failure>{"x" * 9000}</failure></testcase></testsuite>'
    (ended,) = results.outcomes(text)
    assert len(ended.detail) == 300


def test_what_ends_as_is_known_is_explained():
    verdict = judge(known(B, 'fail'), known(C, 'skip'), known('tempest.api.image', 'skip'))
    assert verdict.faults == ()
    assert verdict.passed == 1
    assert [test for test, _ in verdict.explained] == [B, C, 'tempest.api.image.Others']
    assert '1 fail, as known: the package lacks it' in str(verdict)


def test_a_failure_and_a_skip_that_nobody_knows_of_are_faults():
    assert judge().faults == (
        f'{B} fails: Details: an error',
        f'{C} skips: no such feature',
        'tempest.api.image.Others skips: one store',
    )


def test_a_known_failure_that_passes_is_a_fault():
    (fault, *_) = judge(known(A, 'fail')).faults
    assert (
        fault == f'{A} is known to fail (the package lacks it), and passes: take it off the list'
    )


def test_a_known_skip_that_fails_is_a_fault():
    assert (
        f'{B} fails: Details: an error (known to skip (the package lacks it))'
        in judge(known(B, 'skip')).faults
    )


def test_what_is_known_of_one_base_or_without_a_feature_excuses_nothing_elsewhere():
    everywhere = results.Known(A, 'skip', 'so it is')
    of_base = results.Known(A, 'skip', 'too old', bases=('debian@12',))
    of_feature = results.Known(A, 'skip', 'not configured', without='cache')
    assert everywhere.holds('debian@13', {'cache'})
    assert of_base.holds('debian@12', {'cache'})
    assert not of_base.holds('debian@13', {'cache'})
    assert of_feature.holds('debian@12', {'locations'})
    assert not of_feature.holds('debian@12', {'cache'})


def test_a_known_test_that_is_not_there_any_more_is_a_fault():
    gone = 'tempest.api.image.Others.test_gone_too'
    assert any(
        'was it renamed?' in fault for fault in judge(known('tempest.api.Gone', 'skip')).faults
    )
    assert not any(
        'was it renamed?' in f for f in judge(known('tempest.api.image', 'skip')).faults
    )
    assert any('was it renamed?' in fault for fault in judge(known(gone, 'skip')).faults)


def test_what_is_known_of_suites_that_are_not_run_does_not_matter():
    every = [
        results.Known(name, 'skip', 'it') for name in ('a.image.X', 'a.image.Gone', 'a.volume.Y')
    ]
    run = ['a.image.X.test_one']
    whole = results.that_matter(every, r'^a\.(identity|image)\.', run)
    assert [one.test for one in whole] == ['a.image.X', 'a.image.Gone']
    assert [one.test for one in results.that_matter(every, '', run)] == ['a.image.X']


def test_a_name_does_not_cover_a_longer_one():
    assert not known(A, 'fail').covers(f'{A}_again')
    assert known('tempest.api.identity.Things', 'fail').covers(A)


def test_a_test_that_did_not_run_is_a_fault():
    cut = JUNIT.replace('name="test_a[id-1,smoke]"', 'name="test_z"')
    assert f'{A} did not run' in judge(junit=cut).faults


def test_a_class_that_is_not_set_up_accounts_for_its_tests():
    junit = (
        '<testsuite><testcase classname="" name="setUpClass (tempest.api.identity.Things)">'
        '<skipped>one store</skipped></testcase></testsuite>'
    )
    assert judge(known('tempest.api.identity.Things', 'skip'), junit=junit).faults == ()


def test_no_tests_at_all_are_a_fault():
    verdict = results.judge((), (), ())
    assert verdict.faults == ('no tests were found',)


@pytest.mark.parametrize(
    'text',
    [
        'why: it',
        '- it',
        '- {why: "", fail: [a]}',
        '- {why: it}',
        '- {why: it, fail: a}',
        '- {why: it, fail: [a], base: debian@12}',
    ],
)
def test_a_list_that_says_it_otherwise_is_refused_with_what_is_wanted(text: str):
    with pytest.raises(ValueError, match='wanted'):
        results.known(text)


def test_the_list_is_as_it_must_be_and_names_each_test_once():
    for base in ('debian@12', 'debian@13'):
        here = [k.test for k in results.known(KNOWN.read_text()) if k.holds(base, ())]
        assert sorted(set(here)) == sorted(here)
    assert yaml.safe_load(KNOWN.read_text())
