use crate::ground::Ground;

/// A Deployment of the tests' app, with a Service in front of it that a node's port leads to.
#[derive(Clone, Debug)]
pub(crate) struct Web<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) replicas: u32,
    /// What is added to the app's environment.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// Whether `/ready` is asked every second.
    pub(crate) is_probed: bool,
    /// As in a Deployment, on one line; empty for Kubernetes' default.
    pub(crate) strategy: &'a str,
    /// How many seconds a pod that is to end goes on serving.
    pub(crate) pre_stop: Option<u32>,
    /// In place of the app's image.
    pub(crate) image: Option<&'a str>,
    /// Further fields of the container, each on one line.
    pub(crate) container: &'a [&'a str],
    /// Further fields of the pod, each on one line.
    pub(crate) pod: &'a [&'a str],
}

impl Default for Web<'_> {
    fn default() -> Self {
        Self {
            name: "web",
            version: "1",
            replicas: 4,
            env: &[],
            is_probed: true,
            strategy: "",
            pre_stop: None,
            image: None,
            container: &[],
            pod: &[],
        }
    }
}

impl Web<'_> {
    /// Both objects' manifests.
    pub(crate) fn manifests(&self, ground: &Ground) -> String {
        format!("{}---\n{}", self.deployment(ground), self.service())
    }

    /// The Deployment's manifest.
    pub(crate) fn deployment(&self, ground: &Ground) -> String {
        let Self { name, version, replicas, .. } = self;
        let image = self.image.unwrap_or(ground.image());
        let more: String =
            self.env.iter().map(|(name, value)| format!("\n        - {{ name: {name}, value: '{value}' }}")).collect();
        let strategy = match self.strategy {
            "" => String::new(),
            strategy => format!("\n  strategy: {strategy}"),
        };
        let probe = match self.is_probed {
            true => "\n        readinessProbe: { httpGet: { path: /ready, port: 8080 }, periodSeconds: 1 }",
            false => "",
        };
        let container: String = self.container.iter().map(|line| format!("\n        {line}")).collect();
        let pod: String = self.pod.iter().map(|line| format!("\n      {line}")).collect();
        let pre_stop = self.pre_stop.map_or(String::new(), |seconds| {
            format!("\n        lifecycle: {{ preStop: {{ exec: {{ command: [/app, sleep, '{seconds}'] }} }} }}")
        });
        format!(
            "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{ app: {name} }}
spec:
  replicas: {replicas}{strategy}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata:
      labels: {{ app: {name} }}
    spec:
      automountServiceAccountToken: false{pod}
      containers:
      - name: app
        image: {image}
        imagePullPolicy: IfNotPresent
        ports: [{{ containerPort: 8080 }}]
        env:
        - {{ name: VERSION, value: '{version}' }}{more}{probe}{pre_stop}{container}
"
        )
    }

    /// The Service's manifest.
    pub(crate) fn service(&self) -> String {
        let name = self.name;
        format!(
            "\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels: {{ app: {name} }}
spec:
  type: NodePort
  selector: {{ app: {name} }}
  ports: [{{ port: 80, targetPort: 8080 }}]
"
        )
    }
}
