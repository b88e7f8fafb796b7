use crate::ground::Ground;

#[test]
fn a_version_comes_goes_back_and_is_taken_down() {
    let Some(ground) = Ground::new("story") else { return };
    ground.write("1.yaml", "1");
    ground.write("2.yaml", "2");
    let done = |args: &[&str], words: &str| {
        let (status, said) = ground.deploy(args);
        assert_eq!(status, 0, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: expected {words}, but found {said}");
    };
    assert_eq!(ground.deploy(&["status"]).0, 1, "nothing was deployed yet");
    let unknown = "apiVersion: example.com/v1\nkind: Nonsense\nmetadata: { name: x }\n---\n";
    let web = std::fs::read_to_string(ground.folder.path().join("1.yaml")).unwrap();
    std::fs::write(ground.folder.path().join("unknown.yaml"), format!("{unknown}{web}")).unwrap();
    let (status, said) = ground.deploy(&["up", "-f", "unknown.yaml"]);
    assert_eq!(
        (status, said.contains("unknown.yaml:1:1: expected a kind that the cluster knows")),
        (2, true),
        "{said}"
    );
    assert_eq!(ground.names("deployments,services"), "");
    let idle = web.split("---").next().unwrap().replace("web", "idle").replace("replicas: 2", "replicas: 1");
    std::fs::write(ground.folder.path().join("both.yaml"), format!("{web}---\n{idle}")).unwrap();
    done(&["up", "-f", "both.yaml"], "deployment 1 done");
    done(&["up", "-f", "1.yaml"], "nothing to do");
    for command in ["up", "plan"] {
        done(&[command, "-f", "1.yaml"], "Deployment idle isn't in the input any more, and stays.");
    }
    done(&["plan", "-f", "2.yaml", "--strategy", "blue-green"], "stop");
    done(&["up", "-f", "2.yaml", "--strategy", "blue-green"], "deployment 2 done");
    done(&["status"], "deployment 2 (blue-green");
    done(&["history"], "#2");
    done(&["logs", "web"], "  | ");
    assert_eq!(ground.deploy(&["logs", "nobody"]).0, 2);
    done(&["rollback"], "deployment 3 done");
    done(&["down"], "is down");
    assert_eq!(ground.names("deployments,services"), "");
    done(&["down"], "is down");
    done(&["history"], "#3");
}
